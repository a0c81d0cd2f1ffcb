// openid-client where every proof needs a nonce: pushed requests, and tokens that are bound to a key.

import * as client from 'openid-client'

import { callback, checkTools, done, equal, jsonRpc, refused, task, toolsList } from './person.mjs'

const options = { execute: [client.allowInsecureRequests], algorithm: 'oidc' }
const issuer = new URL(task.issuer)
const person = await callback()

const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
const jwk = { ...(await crypto.subtle.exportKey('jwk', keys.publicKey)), kid: 'own', alg: 'ES256', use: 'sig' }
const metadata = {
  client_name: 'openid-client with keys',
  redirect_uris: [person.redirectUri],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'private_key_jwt',
  jwks: { keys: [jwk] },
  dpop_bound_access_tokens: true,
  require_pushed_authorization_requests: true,
}
const own = client.PrivateKeyJwt({ key: keys.privateKey, kid: 'own' })
const config = await client.dynamicClientRegistration(issuer, metadata, own, options)
done('registration with keys')

const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair())
const checks = {
  pkceCodeVerifier: client.randomPKCECodeVerifier(),
  expectedState: client.randomState(),
  expectedNonce: client.randomNonce(),
}
const parameters = {
  redirect_uri: person.redirectUri,
  scope: 'openid email schemas:read query offline_access',
  resource: task.resource,
  state: checks.expectedState,
  nonce: checks.expectedNonce,
  code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
  code_challenge_method: 'S256',
}
const url = await client.buildAuthorizationUrlWithPAR(config, parameters, { DPoP })
equal(url.searchParams.has('scope'), false)
const redirect = await person.visit(url)
done('pushed request')

const tokens = await client.authorizationCodeGrant(config, redirect, checks, undefined, { DPoP })
equal(tokens.token_type, 'dpop')
done('bound code, ID token')

const { sub } = tokens.claims()
const info = await client.fetchUserInfo(config, tokens.access_token, sub, { DPoP })
equal(info.email.includes('@'), true)
done('bound user info')

const call = (more) =>
  client.fetchProtectedResource(config, tokens.access_token, new URL(task.resource), 'POST', toolsList, jsonRpc, more)
await checkTools(await call({ DPoP }))
await refused(call(), (error) => error instanceof client.WWWAuthenticateChallengeError)
done('bound protected resource')

const grantType = 'urn:ietf:params:oauth:grant-type:token-exchange'
const subject = {
  subject_token: tokens.access_token,
  subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  scope: 'query',
}
const narrow = await client.genericGrantRequest(config, grantType, subject, { DPoP })
equal(`${narrow.scope} ${narrow.token_type}`, 'query dpop')
done('exchange of a bound token')

const renewed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })
equal(renewed.token_type, 'dpop')
const told = await client.tokenIntrospection(config, renewed.access_token)
equal(told.cnf.jkt, await DPoP.calculateThumbprint())
await client.tokenRevocation(config, renewed.refresh_token)
equal((await client.tokenIntrospection(config, renewed.access_token)).active, false)
done('bound refresh, introspection, revocation')
person.close()
