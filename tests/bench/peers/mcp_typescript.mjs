// The TypeScript SDK's McpServer with the tools of the call rows, behind its own bearer middleware, as its documentation
// sets it up: Express, jose with the issuer's keys, streamable HTTP with sessions.
// Settings in the environment: PORT, ISSUER, RESOURCE, and DOCUMENTS, what the tools answer, as JSON.

import { randomUUID } from 'node:crypto';

import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as z from 'zod/v4';

const { PORT, ISSUER, RESOURCE } = process.env;
const DOCUMENTS = JSON.parse(process.env.DOCUMENTS);

const keys = createRemoteJWKSet(new URL(`${ISSUER}/.well-known/jwks.json`), { cacheMaxAge: 3_600_000 });
const verifier = {
  async verifyAccessToken(token) {
    const { payload } = await jwtVerify(token, keys, { issuer: ISSUER, audience: RESOURCE, algorithms: ['ES256'] });
    return { token, clientId: payload.client_id, scopes: payload.scope.split(' '), expiresAt: payload.exp };
  },
};

const answer = (document) => ({ content: [{ type: 'text', text: JSON.stringify(document) }], structuredContent: document });

function createServer() {
  const server = new McpServer({ name: 'peer', version: '1' });
  server.registerTool('list_schemas', {
    description: 'Lists the schemas you can query.',
    inputSchema: {},
    outputSchema: { schemas: z.array(z.record(z.string(), z.unknown())) },
  }, async () => answer(DOCUMENTS.list_schemas));
  server.registerTool('describe_table', {
    description: 'Describes a table: its columns and indexes.',
    inputSchema: {
      table_name: z.string().min(1).max(255),
      schema_name: z.string().optional(),
      refresh: z.enum(['if_stale', 'force', 'skip']).default('if_stale'),
    },
    outputSchema: { columns: z.array(z.record(z.string(), z.unknown())), indexes: z.array(z.record(z.string(), z.unknown())) },
  }, async ({ table_name, refresh }) => {
    if (table_name !== 'items' || refresh !== 'skip') throw new Error('unexpected arguments');
    return answer(DOCUMENTS.describe_table);
  });
  return server;
}

const app = createMcpExpressApp();
const sessions = new Map();
app.get('/ready', (_request, response) => response.end('ready'));
app.post('/mcp', requireBearerAuth({ verifier, requiredScopes: ['schemas:read'] }), async (request, response) => {
  let transport = sessions.get(request.headers['mcp-session-id']);
  if (!transport) {
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => sessions.set(id, transport),
    });
    await createServer().connect(transport);
  }
  await transport.handleRequest(request, response, request.body);
});
app.listen(Number(PORT), '127.0.0.1');
