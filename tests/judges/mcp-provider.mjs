// What the official TypeScript client wants of a host: it keeps everything in memory.

import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client'

import { task } from './person.mjs'

export class Provider {
  constructor(person, document) {
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

// A client that is connected; where a person must sign in, `signIn` finishes that with the first transport.
export async function connected(provider, negotiation, signIn) {
  const client = new Client({ name: 'judge', version: '1' }, { versionNegotiation: negotiation })
  const transport = () => new StreamableHTTPClientTransport(new URL(task.resource), { authProvider: provider })
  const first = transport()
  try {
    await client.connect(first)
  } catch (error) {
    if (!(error instanceof UnauthorizedError) || !signIn) throw error
    await signIn(first)
    await client.connect(transport())
  }
  return client
}

export async function call(client, name = 'list_schemas', given = {}) {
  const result = await client.callTool({ name, arguments: given })
  if (result.isError) throw new Error(JSON.stringify(result))
  return result.structuredContent
}
