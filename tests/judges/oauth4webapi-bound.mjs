// oauth4webapi where every proof needs a nonce: a client with a key of its own, pushed requests, tokens bound to a key.

import * as oauth from 'oauth4webapi'

import { callback, checkTools, done, equal, jsonRpc, refused, task, toolsList } from './person.mjs'

const plain = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(task.issuer)
const resource = new URL(task.resource)
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, plain))
const person = await callback()

const keys = await oauth.generateKeyPair('ES256', { extractable: true })
const jwk = { ...(await crypto.subtle.exportKey('jwk', keys.publicKey)), kid: 'own', alg: 'ES256', use: 'sig' }
const registration = {
  client_name: 'oauth4webapi with keys',
  redirect_uris: [person.redirectUri],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'private_key_jwt',
  jwks: { keys: [jwk] },
  dpop_bound_access_tokens: true,
  require_pushed_authorization_requests: true,
}
const registered = await oauth.dynamicClientRegistrationRequest(server, registration, plain)
const client = await oauth.processDynamicClientRegistrationResponse(registered)
equal(client.dpop_bound_access_tokens, true)
done('registration with keys')

const own = oauth.PrivateKeyJwt({ key: keys.privateKey, kid: 'own' })
const proof = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))

// Once more where the server asks for a nonce of its own, which it does the first time.
const hosts = new Set()
async function proven(host, send, process) {
  const options = { DPoP: proof, ...plain }
  try {
    const answer = await process(await send(options))
    if (!hosts.has(host)) throw new Error(`${host} did not ask for a nonce`)
    return answer
  } catch (error) {
    if (!oauth.isDPoPNonceError(error) || hosts.has(host)) throw error
    hosts.add(host)
    return process(await send(options))
  }
}

const verifier = oauth.generateRandomCodeVerifier()
const state = oauth.generateRandomState()
const nonce = oauth.generateRandomNonce()
const parameters = {
  redirect_uri: person.redirectUri,
  response_type: 'code',
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  scope: 'openid email schemas:read query offline_access',
  resource: task.resource,
  state,
  nonce,
}
const pushed = await proven(
  'the authorization server',
  (options) => oauth.pushedAuthorizationRequest(server, client, own, parameters, options),
  (response) => oauth.processPushedAuthorizationResponse(server, client, response),
)
const url = new URL(server.authorization_endpoint)
url.search = new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri })
const redirect = oauth.validateAuthResponse(server, client, await person.visit(url), state)
done('pushed request')

const tokens = await proven(
  'the authorization server',
  (options) =>
    oauth.authorizationCodeGrantRequest(server, client, own, redirect, person.redirectUri, verifier, options),
  (response) => oauth.processAuthorizationCodeResponse(server, client, response, { expectedNonce: nonce }),
)
equal(tokens.token_type, 'dpop')
const { sub } = oauth.getValidatedIdTokenClaims(tokens)
done('bound code, ID token')

const info = await proven(
  'the authorization server',
  (options) => oauth.userInfoRequest(server, client, tokens.access_token, options),
  (response) => oauth.processUserInfoResponse(server, client, sub, response),
)
if (!info.email.includes('@')) throw new Error(JSON.stringify(info))
done('bound user info')

const call = (options) =>
  oauth.protectedResourceRequest(tokens.access_token, 'POST', resource, jsonRpc, toolsList, options)
await proven('the resource', call, checkTools)
await refused(
  call(plain),
  (error) => error instanceof oauth.WWWAuthenticateChallengeError && error.cause.some((each) => each.scheme === 'dpop'),
)
done('bound protected resource')

const inspected = await oauth.introspectionRequest(server, client, own, tokens.access_token, plain)
const told = await oauth.processIntrospectionResponse(server, client, inspected)
equal(told.token_type.toLowerCase(), 'dpop')
equal(told.cnf.jkt, await proof.calculateThumbprint())
done('introspection of a bound token')

const narrow = await proven(
  'the authorization server',
  (options) =>
    oauth.genericTokenEndpointRequest(
      server,
      client,
      own,
      'urn:ietf:params:oauth:grant-type:token-exchange',
      {
        subject_token: tokens.access_token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        scope: 'query',
      },
      options,
    ),
  (response) => oauth.processGenericTokenEndpointResponse(server, client, response),
)
equal(`${narrow.scope} ${narrow.token_type}`, 'query dpop')
done('exchange of a bound token')

const renewed = await proven(
  'the authorization server',
  (options) => oauth.refreshTokenGrantRequest(server, client, own, tokens.refresh_token, options),
  (response) => oauth.processRefreshTokenResponse(server, client, response),
)
equal(renewed.token_type, 'dpop')
await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, own, renewed.refresh_token, plain))
done('bound refresh, revocation')
person.close()
