// The official TypeScript client: it is given the URL of the MCP server, and finds the rest by itself.

import { IssuerMismatchError, UnauthorizedError } from '@modelcontextprotocol/client'

import { Provider, call, connected } from './mcp-provider.mjs'
import { callback, done, equal, refused, task } from './person.mjs'

const person = await callback()

const signedIn = (provider) => async (transport) => {
  const answer = await person.visit(provider.requests.at(-1))
  const mixedUp = new URLSearchParams({ ...Object.fromEntries(answer.searchParams), iss: 'https://evil.example' })
  await refused(transport.finishAuth(mixedUp), (error) => error instanceof IssuerMismatchError)
  await transport.finishAuth(answer.searchParams)
}

const registered = new Provider(person)
let client = await connected(registered, { mode: 'auto' }, signedIn(registered))
await call(client)
if (!registered.client.client_id.startsWith('dcr_')) throw new Error(`registered as ${registered.client.client_id}`)
done('registration, code, tool call')

const before = registered.given
registered.given = { ...before, access_token: 'expired' }
await call(client)
if (registered.given.refresh_token === before.refresh_token) throw new Error('nothing was refreshed')
if (registered.requests.length !== 1) throw new Error('the person was asked again')
await client.close()
done('refresh')

const documented = new Provider(person, task.document)
client = await connected(documented, { mode: 'legacy' }, signedIn(documented))
await call(client)
await client.close()
if (documented.client.client_id !== task.document) throw new Error(`known as ${documented.client.client_id}`)
done('metadata document, code, tool call')

// A person who was asked for little is asked for more once a tool needs it.
for (const mode of ['auto', 'legacy']) {
  const little = new Provider(person)
  client = await connected(little, { mode }, async (transport) => {
    const narrow = little.requests.at(-1)
    narrow.searchParams.set('scope', 'schemas:read')
    await transport.finishAuth((await person.visit(narrow)).searchParams)
  })
  await call(client)
  equal(little.given.scope, 'schemas:read')
  const query = () => call(client, 'run_sql', { sql: 'select 1 as one' })
  await refused(query(), (error) => error instanceof UnauthorizedError)
  equal(little.requests.length, 2)
  await signedIn(little)(client.transport)
  equal((await query()).row_count, 1)
  equal(little.given.scope, 'schemas:read query')
  await client.close()
}
done('step-up')
person.close()
