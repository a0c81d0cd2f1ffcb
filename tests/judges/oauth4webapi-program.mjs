// oauth4webapi as programs use it: devices, resource servers, clients with keys and with initial access tokens.

import * as oauth from 'oauth4webapi'

import { allowDevice, checkTools, done, equal, jsonRpc, refused, task, toolsList } from './person.mjs'

const plain = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(task.issuer)
const resource = new URL(task.resource)
const server = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...plain }),
)
const failed = (code) => (error) => error instanceof oauth.ResponseBodyError && error.error === code

async function register(metadata, initialAccessToken) {
  const request = await oauth.dynamicClientRegistrationRequest(server, metadata, { initialAccessToken, ...plain })
  return oauth.processDynamicClientRegistrationResponse(request)
}

// RFC 8628.
const kiosk = await register({
  client_name: 'Kiosk',
  grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
  response_types: [],
  token_endpoint_auth_method: 'none',
})
const asked = { scope: 'schemas:read query', resource: task.resource }
const codes = await oauth.processDeviceAuthorizationResponse(
  server,
  kiosk,
  await oauth.deviceAuthorizationRequest(server, kiosk, oauth.None(), asked, plain),
)
const poll = async () =>
  oauth.processDeviceCodeResponse(
    server,
    kiosk,
    await oauth.deviceCodeGrantRequest(server, kiosk, oauth.None(), codes.device_code, plain),
  )
await refused(poll(), failed('authorization_pending'))
await refused(poll(), failed('slow_down'))
await allowDevice(codes.verification_uri_complete)
const shown = await poll()
await checkTools(await oauth.protectedResourceRequest(shown.access_token, 'POST', resource, jsonRpc, toolsList, plain))
done('device authorization')

// RFC 7662 and RFC 9701, by the server that the token is presented to.
const guard = { client_id: task.guard_id }
const guardSecret = oauth.ClientSecretBasic(task.guard_secret)
const inspect = (token, requestJwtResponse) =>
  oauth.introspectionRequest(server, guard, guardSecret, token, { requestJwtResponse, ...plain })
const told = await oauth.processIntrospectionResponse(server, guard, await inspect(shown.access_token, false))
equal(told.active, true)
equal(told.client_id, kiosk.client_id)
equal(told.aud, task.resource)
const unknown = await oauth.processIntrospectionResponse(server, guard, await inspect('unknown', false))
equal(JSON.stringify(unknown), '{"active":false}')
done('introspection')
const strict = { ...guard, introspection_signed_response_alg: 'ES256' }
const signed = await inspect(shown.access_token, true)
equal((await oauth.processIntrospectionResponse(server, strict, signed)).jti, told.jti)
await oauth.validateApplicationLevelSignature(server, signed, plain)
done('signed introspection')

// RFC 8693.
const exchange = async (scope) =>
  oauth.processGenericTokenEndpointResponse(
    server,
    kiosk,
    await oauth.genericTokenEndpointRequest(
      server,
      kiosk,
      oauth.None(),
      'urn:ietf:params:oauth:grant-type:token-exchange',
      {
        subject_token: shown.access_token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        scope,
      },
      plain,
    ),
  )
const narrow = await exchange('query')
equal(narrow.scope, 'query')
equal(narrow.issued_token_type, 'urn:ietf:params:oauth:token-type:access_token')
await refused(exchange('openid'), failed('invalid_scope'))
done('token exchange')

// RFC 7523, with each kind of key.
for (const [algorithm, jwk] of Object.entries(JSON.parse(task.keys))) {
  const names = { ES256: { name: 'ECDSA', namedCurve: 'P-256' }, RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } }
  const key = await crypto.subtle.importKey('jwk', jwk, names[algorithm], false, ['sign'])
  const agent = { client_id: task.agent_id }
  const authentication = oauth.PrivateKeyJwt({ key, kid: jwk.kid })
  const response = await oauth.clientCredentialsGrantRequest(server, agent, authentication, asked, plain)
  const given = await oauth.processClientCredentialsResponse(server, agent, response)
  equal(given.scope, 'schemas:read query')
  done(`client credentials, PrivateKeyJwt, ${algorithm}`)
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(server, agent, authentication, given.access_token, plain),
  )
  const ended = await oauth.introspectionRequest(server, agent, authentication, given.access_token, plain)
  done(`introspection and revocation, PrivateKeyJwt, ${algorithm}`)
  equal((await oauth.processIntrospectionResponse(server, agent, ended)).active, false)
}

// RFC 7591 §3: the server gives a secret only to who comes with an initial access token.
const invited = {
  client_name: 'Invited',
  redirect_uris: ['https://invited.example/callback'],
  token_endpoint_auth_method: 'client_secret_basic',
}
const confidential = await register(invited, task.initial_access_token)
equal(confidential.token_endpoint_auth_method, 'client_secret_basic')
equal(typeof confidential.client_secret, 'string')
await refused(
  register(invited, task.initial_access_token),
  (error) => error instanceof oauth.WWWAuthenticateChallengeError && error.cause[0].scheme === 'bearer',
)
done('registration with an initial access token')
process.stdin.destroy()
