// node-oidc-provider, configured to do what auth-server does: ES256 access tokens of 600 seconds for one resource,
// client credentials, codes with PKCE, and refresh tokens that rotate at every use.
// Its grants live in memory; auth-server's are on disk before it answers.
//
//   node oidc_provider.mjs    with PORT, RESOURCE, CLIENT_SECRET and REDIRECT_URI in the environment

import { generateKeyPairSync, randomBytes } from 'node:crypto';

import Provider from 'oidc-provider';

const { PORT, RESOURCE, CLIENT_SECRET, REDIRECT_URI } = process.env;
const ISSUER = `http://localhost:${PORT}`;
const SCOPE = 'schemas:read query';

// The adapter that comes with the provider forgets everything but the last 1,000 entries; this one keeps them.
const entries = new Map();
const members = new Map();
class MemoryAdapter {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload) {
    entries.set(this.key(id), payload);
    if (this.model === 'Session') entries.set(`uid:${payload.uid}`, payload);
    if (payload.grantId) {
      if (!members.has(payload.grantId)) members.set(payload.grantId, []);
      members.get(payload.grantId).push(this.key(id));
    }
  }
  async find(id) { return entries.get(this.key(id)); }
  async findByUid(uid) { return entries.get(`uid:${uid}`); }
  async findByUserCode() { return undefined; }
  async consume(id) { entries.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { entries.delete(this.key(id)); }
  async revokeByGrantId(grantId) {
    for (const key of members.get(grantId) ?? []) entries.delete(key);
    members.delete(grantId);
  }
}

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const signingKey = { ...privateKey.export({ format: 'jwk' }), kid: 'bench', use: 'sig', alg: 'ES256' };

const provider = new Provider(ISSUER, {
  adapter: MemoryAdapter,
  jwks: { keys: [signingKey] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  clients: [
    {
      client_id: 'automation', client_secret: CLIENT_SECRET, grant_types: ['client_credentials'],
      redirect_uris: [], response_types: [],
    },
    {
      client_id: 'app', token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [REDIRECT_URI], response_types: ['code'],
    },
  ],
  clientAuthMethods: ['client_secret_basic', 'none'],
  enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  scopes: ['openid', 'offline_access'],
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: SCOPE, audience: RESOURCE, accessTokenTTL: 600, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: () => true,
  rotateRefreshToken: () => true,
  pkce: { required: () => true },
  ttl: { AuthorizationCode: 60, ClientCredentials: 600, Grant: 86400, Interaction: 600, RefreshToken: 86400, Session: 86400 },
});

// Whoever asks is signed in as the same person, who allows everything.
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const { params } = await provider.interactionDetails(ctx.req, ctx.res);
  const grant = new provider.Grant({ accountId: 'ada', clientId: params.client_id });
  grant.addOIDCScope('offline_access');
  grant.addResourceScope(RESOURCE, SCOPE);
  const grantId = await grant.save();
  const result = { login: { accountId: 'ada' }, consent: { grantId } };
  await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
  ctx.respond = false;
});

provider.listen(Number(PORT), '127.0.0.1');
