// openid-client as programs use it: devices, resource servers, clients with a key and with an initial access token.

import * as client from 'openid-client'

import { allowDevice, checkTools, done, equal, jsonRpc, refused, task, toolsList } from './person.mjs'

const options = { execute: [client.allowInsecureRequests], algorithm: 'oauth2' }
const issuer = new URL(task.issuer)
const failed = (code) => (error) => error instanceof client.ResponseBodyError && error.error === code
const tools = async (config, token) =>
  checkTools(await client.fetchProtectedResource(config, token, new URL(task.resource), 'POST', toolsList, jsonRpc))

const metadata = {
  client_name: 'Kiosk of openid-client',
  grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
  response_types: [],
  token_endpoint_auth_method: 'none',
}
const kiosk = await client.dynamicClientRegistration(issuer, metadata, client.None(), options)
const asked = { scope: 'schemas:read query', resource: task.resource }
const codes = await client.initiateDeviceAuthorization(kiosk, asked)
await allowDevice(codes.verification_uri_complete)
// It waits for as long as the server demands before it asks.
const shown = await client.pollDeviceAuthorizationGrant(kiosk, codes)
await tools(kiosk, shown.access_token)
done('device authorization')

const guard = async (more) =>
  client.discovery(issuer, task.guard_id, more, client.ClientSecretPost(task.guard_secret), options)
const plain = await guard({})
equal((await client.tokenIntrospection(plain, shown.access_token)).client_id, kiosk.clientMetadata().client_id)
equal((await client.tokenIntrospection(plain, 'unknown')).active, false)
done('introspection')
const signed = await guard({ introspection_signed_response_alg: 'ES256' })
client.enableNonRepudiationChecks(signed)
equal((await client.tokenIntrospection(signed, shown.access_token)).aud, task.resource)
done('signed introspection')

const exchange = (scope) =>
  client.genericGrantRequest(kiosk, 'urn:ietf:params:oauth:grant-type:token-exchange', {
    subject_token: shown.access_token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    scope,
  })
equal((await exchange('query')).scope, 'query')
await refused(exchange('openid'), failed('invalid_scope'))
done('token exchange')

const jwk = JSON.parse(task.key)
const key = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
const own = client.PrivateKeyJwt({ key, kid: jwk.kid })
const agent = await client.discovery(issuer, task.agent_id, undefined, own, options)
const given = await client.clientCredentialsGrant(agent, asked)
await tools(agent, given.access_token)
await client.tokenRevocation(agent, given.access_token)
equal((await client.tokenIntrospection(agent, given.access_token)).active, false)
done('client credentials, introspection and revocation, PrivateKeyJwt')

const invited = { client_name: 'Invited', redirect_uris: ['https://invited.example/callback'] }
const invitation = { ...options, initialAccessToken: task.initial_access_token }
const config = await client.dynamicClientRegistration(issuer, invited, undefined, invitation)
equal(typeof config.clientMetadata().client_secret, 'string')
await refused(
  client.dynamicClientRegistration(issuer, invited, undefined, invitation),
  (error) => error instanceof client.WWWAuthenticateChallengeError,
)
done('registration with an initial access token')
process.stdin.destroy()
