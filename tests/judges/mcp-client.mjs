// The official TypeScript client: it is given the URL of the MCP server, and finds the rest by itself.

import { Client, IssuerMismatchError, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client'

import { callback, done, refused, task } from './person.mjs'

const person = await callback()

class Provider {
  constructor(document) {
    this.clientMetadataUrl = document
    this.redirectUrl = person.redirectUri
    this.clientMetadata = { client_name: 'Official TypeScript client', redirect_uris: [person.redirectUri] }
    this.requests = []
  }
  clientInformation() {
    return this.client
  }
  saveClientInformation(client) {
    this.client = client
  }
  tokens() {
    return this.given
  }
  saveTokens(tokens) {
    this.given = tokens
  }
  redirectToAuthorization(url) {
    this.requests.push(url)
  }
  saveCodeVerifier(verifier) {
    this.verifier = verifier
  }
  codeVerifier() {
    return this.verifier
  }
  saveDiscoveryState(state) {
    this.discovered = state
  }
  discoveryState() {
    return this.discovered
  }
}

async function connected(provider, negotiation) {
  const client = new Client({ name: 'judge', version: '1' }, { versionNegotiation: negotiation })
  const transport = () => new StreamableHTTPClientTransport(new URL(task.resource), { authProvider: provider })
  const first = transport()
  try {
    await client.connect(first)
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error
    const answer = await person.visit(provider.requests.at(-1))
    const mixedUp = new URLSearchParams({ ...Object.fromEntries(answer.searchParams), iss: 'https://evil.example' })
    await refused(first.finishAuth(mixedUp), (error) => error instanceof IssuerMismatchError)
    await first.finishAuth(answer.searchParams)
    await client.connect(transport())
  }
  return client
}

async function call(client) {
  const result = await client.callTool({ name: 'list_schemas', arguments: {} })
  if (result.isError || !result.structuredContent.schemas.length) throw new Error(JSON.stringify(result))
}

const registered = new Provider()
let client = await connected(registered, { mode: 'auto' })
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

const documented = new Provider(task.document)
client = await connected(documented, { mode: 'legacy' })
await call(client)
await client.close()
if (documented.client.client_id !== task.document) throw new Error(`known as ${documented.client.client_id}`)
done('metadata document, code, tool call')
person.close()
