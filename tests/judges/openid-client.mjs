// openid-client: a relying party's view of the same flows, from one discovery on.

import * as client from 'openid-client'

import { callback, done, refused, task } from './person.mjs'

const options = { execute: [client.allowInsecureRequests], algorithm: 'oauth2' }
const issuer = new URL(task.issuer)
const invalidGrant = (error) => error instanceof client.ResponseBodyError && error.error === 'invalid_grant'

const person = await callback()
const metadata = {
  client_name: 'openid-client',
  redirect_uris: [person.redirectUri],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'none',
}
const config = await client.dynamicClientRegistration(issuer, metadata, client.None(), options)
done('registration')

const pkceCodeVerifier = client.randomPKCECodeVerifier()
const expectedState = client.randomState()
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: person.redirectUri,
  scope: 'schemas:read query',
  resource: task.resource,
  state: expectedState,
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
})
const tokens = await client.authorizationCodeGrant(config, await person.visit(url), { pkceCodeVerifier, expectedState })
done('code')

const answered = await client.fetchProtectedResource(
  config,
  tokens.access_token,
  new URL(task.resource),
  'POST',
  JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }),
  new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' }),
)
if ((await answered.json()).result.tools.length === 0) throw new Error('no tools')
done('protected resource')

const renewed = await client.refreshTokenGrant(config, tokens.refresh_token, { scope: 'query' })
if (renewed.scope !== 'query' || renewed.expiresIn() > 600) throw new Error('the scope was not narrowed')
done('refresh')

await client.tokenRevocation(config, renewed.refresh_token)
await refused(client.refreshTokenGrant(config, renewed.refresh_token), invalidGrant)
done('revocation')

// As a relying party of OpenID Connect: it demands RS256, the nonce, a recent auth_time, and one subject everywhere.
const party = await client.discovery(issuer, config.clientMetadata().client_id, undefined, client.None(), {
  ...options,
  algorithm: 'oidc',
})
const asked = {
  pkceCodeVerifier: client.randomPKCECodeVerifier(),
  expectedState: client.randomState(),
  expectedNonce: client.randomNonce(),
  maxAge: 3600,
}
const signIn = client.buildAuthorizationUrl(party, {
  redirect_uri: person.redirectUri,
  scope: 'openid profile email offline_access',
  state: asked.expectedState,
  nonce: asked.expectedNonce,
  max_age: String(asked.maxAge),
  code_challenge: await client.calculatePKCECodeChallenge(asked.pkceCodeVerifier),
  code_challenge_method: 'S256',
})
const known = await client.authorizationCodeGrant(party, await person.visit(signIn), { ...asked, idTokenExpected: true })
done('ID token')
const subject = known.claims().sub
const userInfo = await client.fetchUserInfo(party, known.access_token, subject)
if (userInfo.email_verified !== false || !userInfo.email.includes('@')) throw new Error(JSON.stringify(userInfo))
done('user info')
const again = await client.refreshTokenGrant(party, known.refresh_token)
if (again.claims().sub !== subject) throw new Error('somebody else was refreshed')
done('ID token of a refresh')

for (const authenticate of [client.ClientSecretBasic, client.ClientSecretPost]) {
  const program = await client.discovery(issuer, task.client_id, undefined, authenticate(task.client_secret), {
    ...options,
    algorithm: 'oidc',
  })
  const given = await client.clientCredentialsGrant(program, { resource: task.resource, scope: 'query' })
  if (given.token_type !== 'bearer' || given.scope !== 'query') throw new Error(JSON.stringify(given))
  done(`client credentials, ${authenticate.name}`)
}
person.close()
