// oauth4webapi: each response is validated against its RFC by the library.

import * as oauth from 'oauth4webapi'

import { callback, done, refused, task } from './person.mjs'

const plain = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(task.issuer)
const resource = new URL(task.resource)
const invalidGrant = (error) => error instanceof oauth.ResponseBodyError && error.error === 'invalid_grant'

async function discover(algorithm) {
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm, ...plain }))
}

// RFC 9068 §4, with the keys at jwks_uri.
async function validate(server, token) {
  const headers = { authorization: `Bearer ${token}` }
  return oauth.validateJwtAccessToken(server, new Request(resource, { headers }), task.resource, plain)
}

const server = await discover('oauth2')
done('metadata')
await discover('oidc')
done('openid configuration')

const protectedResource = await oauth.processResourceDiscoveryResponse(
  resource,
  await oauth.resourceDiscoveryRequest(resource, plain),
)
if (!protectedResource.authorization_servers.includes(server.issuer)) throw new Error('the resource has another issuer')
done('protected resource metadata')

const person = await callback()
const registration = {
  client_name: 'oauth4webapi',
  redirect_uris: [person.redirectUri],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
}
const client = await oauth.processDynamicClientRegistrationResponse(
  await oauth.dynamicClientRegistrationRequest(server, registration, plain),
)
done('registration')

const none = oauth.None()
const verifier = oauth.generateRandomCodeVerifier()
const state = oauth.generateRandomState()
const url = new URL(server.authorization_endpoint)
url.search = new URLSearchParams({
  client_id: client.client_id,
  redirect_uri: person.redirectUri,
  response_type: 'code',
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  scope: 'schemas:read query',
  resource: task.resource,
  state,
})
// RFC 9207: the answer must name the issuer that the metadata names.
const redirect = await person.visit(url)
const answer = oauth.validateAuthResponse(server, client, redirect, state)
const mixedUp = new URL(redirect)
mixedUp.searchParams.set('iss', 'https://evil.example')
await refused(
  (async () => oauth.validateAuthResponse(server, client, mixedUp, state))(),
  (error) => error instanceof oauth.OperationProcessingError,
)
done('refusal of a mix-up')
const redeem = () =>
  oauth.authorizationCodeGrantRequest(server, client, none, answer, person.redirectUri, verifier, plain)
const tokens = await oauth.processAuthorizationCodeResponse(server, client, await redeem())
const { client_id: holder } = await validate(server, tokens.access_token)
if (holder !== client.client_id) throw new Error('the token is of another client')
done('code')

const answered = await oauth.protectedResourceRequest(
  tokens.access_token,
  'POST',
  resource,
  new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' }),
  JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }),
  plain,
)
if ((await answered.json()).result.tools.length === 0) throw new Error('no tools')
done('protected resource')

const refresh = (token) => oauth.refreshTokenGrantRequest(server, client, none, token, plain)
const renewed = await oauth.processRefreshTokenResponse(server, client, await refresh(tokens.refresh_token))
await validate(server, renewed.access_token)
if (renewed.refresh_token === tokens.refresh_token) throw new Error('the refresh token was not rotated')
done('refresh')

await oauth.processRevocationResponse(
  await oauth.revocationRequest(server, client, none, renewed.refresh_token, plain),
)
await refused(
  refresh(renewed.refresh_token).then((response) => oauth.processRefreshTokenResponse(server, client, response)),
  invalidGrant,
)
done('revocation')

await refused(
  redeem().then((response) => oauth.processAuthorizationCodeResponse(server, client, response)),
  invalidGrant,
)
done('refusal of a used code')

const program = { client_id: task.client_id }
const credentials = (authentication) =>
  oauth
    .clientCredentialsGrantRequest(server, program, authentication, { resource: task.resource, scope: 'query' }, plain)
    .then((response) => oauth.processClientCredentialsResponse(server, program, response))
for (const authenticate of [oauth.ClientSecretBasic, oauth.ClientSecretPost]) {
  const given = await credentials(authenticate(task.client_secret))
  await validate(server, given.access_token)
  done(`client credentials, ${authenticate.name}`)
}
await refused(
  credentials(oauth.ClientSecretBasic('wrong')),
  (error) => error instanceof oauth.WWWAuthenticateChallengeError && error.cause[0].scheme === 'basic',
)
done('refusal of a wrong secret')
person.close()
