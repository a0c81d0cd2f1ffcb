// The official TypeScript client as a program, as an employee's, and as the holder of a key.

import {
  ClientCredentialsProvider,
  CrossAppAccessProvider,
  DpopSession,
  PrivateKeyJwtProvider,
  StaticPrivateKeyJwtProvider,
} from '@modelcontextprotocol/client'

import { Provider, call, connected } from './mcp-provider.mjs'
import { callback, done, equal, task } from './person.mjs'

async function calls(provider, mode) {
  const client = await connected(provider, { mode })
  await call(client)
  await client.close()
}

const expectedIssuer = task.issuer
const program = { clientId: task.client_id, clientSecret: task.client_secret, expectedIssuer }
const agent = { clientId: task.agent_id, expectedIssuer }
const key = { privateKey: JSON.parse(task.key), algorithm: 'ES256' }
await calls(new ClientCredentialsProvider(program), 'auto')
await calls(new ClientCredentialsProvider({ ...program, scope: 'schemas:read' }), 'legacy')
done('client credentials')
await calls(new PrivateKeyJwtProvider({ ...agent, ...key }), 'auto')
await calls(new PrivateKeyJwtProvider({ ...agent, ...key }), 'legacy')
done('client credentials by a key')
await calls(new StaticPrivateKeyJwtProvider({ ...agent, jwtBearerAssertion: task.client_assertion }), 'auto')
done('client credentials by an assertion')

const asked = []
const employee = new CrossAppAccessProvider({
  clientId: task.employee_id,
  clientSecret: task.employee_secret,
  expectedIssuer,
  assertion: (context) => {
    asked.push(`${context.authorizationServerUrl} ${context.resourceUrl}`)
    return task.identity_assertion
  },
})
await calls(employee, 'auto')
equal(asked.join(), `${task.issuer} ${task.resource}`)
done('identity assertion')

// RFC 9449: both servers demand nonces of their own.
const person = await callback()
for (const mode of ['auto', 'legacy']) {
  const holder = new Provider(person)
  const session = await DpopSession.create()
  holder.dpop = () => session
  const client = await connected(holder, { mode }, async (transport) =>
    transport.finishAuth((await person.visit(holder.requests.at(-1))).searchParams),
  )
  await call(client)
  equal(holder.given.token_type, 'DPoP')
  const before = holder.given
  holder.given = { ...before, access_token: 'expired' }
  await call(client)
  equal(holder.given.refresh_token === before.refresh_token, false)
  await client.close()
}
done('bound tokens')
person.close()
