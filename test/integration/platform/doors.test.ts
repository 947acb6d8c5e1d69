import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { io } from 'socket.io-client';
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { AppError } from '../../../common/runtime/errors.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { ShutdownStack } from '../../../common/runtime/service.ts';
import { createGateway } from '../../../coordinator/platform/gateway/gateway.ts';
import type { AgentHandlers } from '../../../coordinator/platform/gateway/agents.ts';
import { AccessControl } from '../../../coordinator/platform/http/access.ts';
import { createHttp } from '../../../coordinator/platform/http/http.ts';
import type { Http, Routes } from '../../../coordinator/platform/http/http.ts';
import { isAllowedHost } from '../../../coordinator/platform/http/hosts.ts';
import { createMetrics } from '../../../coordinator/platform/http/metrics.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';

let db: TestDatabase;
let http: Http;
let access: AccessControl;
let folder: string;
let admin: string;
let viewer: string;
let status = { cameras: 1 };
let rows = [
  { id: 1, verdict: 'good' },
  { id: 2, verdict: 'good' },
];
const shutdown = new ShutdownStack();

const thingRoutes: Routes = async (app) => {
  const body = z.object({ name: z.string().min(1), password: z.string().optional() });
  app.post('/things', { config: { role: 'operator' }, schema: { body } }, ({ body: thing }) => ({ name: thing.name }));
  app.get('/things/:id', { config: { role: 'viewer' } }, () => {
    throw new AppError('THING_NOT_FOUND', 'There is no such thing.', { details: { id: 7 } });
  });
  app.get('/broken', { config: { role: 'viewer' } }, () => {
    throw new Error('secret detail');
  });
  app.get('/agent/only', { config: { role: 'agent' } }, (request) => request.principal);
};

async function createDoor(routes: readonly Routes[]): Promise<Http> {
  return createHttp({
    listen: { host: '127.0.0.1', port: 0 },
    version: '0.0.0-test',
    access,
    sessions: { authenticate: async (key) => (key === 'session-key' ? { agentId: 'a', sessionId: 's' } : undefined) },
    database: db.database,
    logger: silentLogger,
    metrics: createMetrics(),
    ready: { database: () => db.database.isReady(), other: () => true },
    routes,
    pageFolder: join(folder, 'page'),
  });
}

beforeAll(async () => {
  db = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), 'camfleet-doors-'));
  access = new AccessControl(db.database);
  admin = await access.adminToken(folder);
  viewer = (await access.create('looker', 'viewer')).token;
  http = await createDoor([thingRoutes]);
  const handlers = new Proxy({} as AgentHandlers, {
    get: (_target, event) => async (session: unknown, request: unknown) => {
      if (event === 'agent:drain') throw new AppError('DRAIN_STATE', 'Not now.');
      return { ok: true, value: { event, session, request } };
    },
  });
  const gateway = createGateway({
    server: http.server,
    agents: {
      admit: async ({ agentId, sessionId, signature }) => {
        if (signature !== 'good') throw new AppError('HANDSHAKE_REFUSED', 'The signature does not fit the key.');
        return { agentId, sessionId };
      },
      handlers,
    },
    page: {
      mayLook: async (token) => (await access.verify(token)) !== undefined,
      status: async () => status,
      rows: async (ids) => rows.filter(({ id }) => ids.includes(id)),
      watch: async () => undefined,
    },
    isAllowedHost,
    logger: silentLogger,
  });
  await http.start();
  await gateway.start();
  shutdown.defer('http', () => http.stop());
  shutdown.defer('gateway', () => gateway.stop());
});

afterAll(async () => {
  await shutdown.stop();
  await db.drop();
  await rm(folder, { recursive: true });
});

const call = async (path: string, { token, ...init }: RequestInit & { token?: string } = {}) => {
  const headers = {
    ...(init.body ? { 'content-type': 'application/json' } : {}),
    ...(token && { authorization: `Bearer ${token}` }),
  };
  const response = await fetch(`${http.url}${path}`, { ...init, headers });
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('json')
    ? (JSON.parse(text) as Record<string, unknown>)
    : {};
  return { status: response.status, headers: response.headers, text, json };
};
const post = (path: string, token: string, body: unknown) =>
  call(path, { token, method: 'POST', body: JSON.stringify(body) });

describe('the API', () => {
  test('asks for a token, and for one with the needed role', async () => {
    expect(await call('/api/v1/things/1')).toMatchObject({ status: 401, json: { code: 'UNAUTHENTICATED' } });
    expect(await call('/api/v1/things/1', { token: 'cft_wrong-token' })).toMatchObject({ status: 401 });
    const refused = await post('/api/v1/things', viewer, { name: 'x' });
    expect(refused).toMatchObject({ status: 403, json: { code: 'FORBIDDEN' } });
    expect(await post('/api/v1/things', admin, { name: 'x' })).toMatchObject({ status: 200, json: { name: 'x' } });
  });

  test('says what is wrong with a request, and keeps its own faults to itself', async () => {
    const invalid = await post('/api/v1/things', admin, { name: '' });
    expect(invalid).toMatchObject({ status: 400, json: { code: 'REQUEST_INVALID' } });
    expect(invalid.json['message']).toContain('name');
    const absent = await call('/api/v1/things/7', { token: viewer });
    expect(absent).toMatchObject({ status: 404, json: { code: 'THING_NOT_FOUND', details: { id: 7 } } });
    const broken = await call('/api/v1/broken', { token: viewer });
    expect(broken).toMatchObject({ status: 500, json: { code: 'INTERNAL' } });
    expect(broken.text).not.toContain('secret');
    expect(await call('/nowhere')).toMatchObject({ status: 404, json: { code: 'ROUTE_NOT_FOUND' } });
  });

  test('lets agents in by their session key only', async () => {
    expect(await call('/api/v1/agent/only', { token: 'session-key' })).toMatchObject({
      status: 200,
      json: { agentId: 'a' },
    });
    expect(await call('/api/v1/agent/only', { token: admin })).toMatchObject({ status: 401 });
  });

  test('records every change with who, what and outcome, but no secret', async () => {
    await post('/api/v1/things', admin, { name: 'recorded', password: 'hunter2' });
    const entry = await eventually(async () => {
      const { json } = await call('/api/v1/audit', { token: admin });
      return (json['entries'] as Record<string, unknown>[]).find(
        (one) => JSON.stringify(one).includes('recorded') && one['status'],
      );
    });
    expect(entry).toMatchObject({ action: 'POST /api/v1/things', role: 'admin', status: 200 });
    expect(JSON.stringify(entry)).not.toContain('hunter2');
  });

  test('keeps the first token in a file of the owner, and only digests in the database', async () => {
    const path = join(folder, 'admin-token');
    expect((await readFile(path, 'utf8')).trim()).toBe(admin);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await access.adminToken(folder)).toBe(admin);
    expect(JSON.stringify(await db.database.many('select * from api_tokens'))).not.toContain(admin);
  });

  test('makes tokens and takes them back', async () => {
    const made = await post('/api/v1/tokens', admin, { name: 'ci', role: 'operator' });
    expect(made.status).toBe(201);
    const token = String(made.json['token']);
    expect(await call('/api/v1/me', { token })).toMatchObject({ json: { name: 'ci', role: 'operator' } });
    expect(await call(`/api/v1/tokens/${String(made.json['id'])}`, { token: admin, method: 'DELETE' })).toMatchObject({
      status: 204,
    });
    expect(await call('/api/v1/me', { token })).toMatchObject({ status: 401 });
  });

  test('tells its health, its metrics and its own description', async () => {
    expect(await call('/healthz')).toMatchObject({ status: 200, json: { ok: true } });
    expect(await call('/readyz')).toMatchObject({ json: { ready: true, parts: { database: true } } });
    expect((await call('/metrics')).text).toContain('camfleet_http_request_seconds');
    const { json } = await call('/api/v1/openapi.json');
    expect(Object.keys(json['paths'] as object)).toContain('/api/v1/things');
    expect((await call('/api/docs')).text).toContain('swagger');
    expect((await call('/healthz')).headers.get('content-security-policy')).toContain("default-src 'self'");
  });

  test('answers loopback names only', async () => {
    const { request } = await import('node:http');
    const code = await new Promise((resolve, reject) => {
      const asked = request(`${http.url}/healthz`, { headers: { host: 'evil.example' } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      asked.on('error', reject).end();
    });
    expect(code).toBe(421);
  });

  test('does not start with a route that does not say who may call it', async () => {
    const open = await createDoor([async (app) => void app.get('/open', () => 'x')]);
    await expect(open.start()).rejects.toMatchObject({ code: 'ROUTE_WITHOUT_ROLE' });
    await open.stop();
  });
});

const connect = (namespace: string, auth: object): Socket => {
  const socket = io(`${http.url}${namespace}`, {
    auth,
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
  });
  onTestFinished(() => void socket.disconnect());
  return socket;
};
const outcome = (socket: Socket) =>
  new Promise<unknown>((resolve) => {
    socket.once('connect', () => resolve('connected'));
    socket.once('connect_error', (error) => resolve((error as { data?: unknown }).data ?? error.message));
  });
const handshake = (change: object = {}) => ({
  protocol: { min: 1, max: 1 },
  agentId: randomUUID(),
  sessionId: randomUUID(),
  nonce: 'n',
  signature: 'good',
  ...change,
});

describe('the gateway', () => {
  test('refuses an agent of another protocol, and a wrong signature, with the reason', async () => {
    const newer = await outcome(connect('/agents', handshake({ protocol: { min: 7, max: 9 }, shape: 'unknown' })));
    expect(newer).toMatchObject({ code: 'PROTOCOL_UNSUPPORTED', message: expect.stringContaining('7 to 9') as string });
    const forged = await outcome(connect('/agents', handshake({ signature: 'bad' })));
    expect(forged).toMatchObject({ code: 'HANDSHAKE_REFUSED' });
  });

  test('answers every event with a result', async () => {
    const socket = connect('/agents', handshake());
    expect(await outcome(socket)).toBe('connected');
    expect(await socket.emitWithAck('shard:sync', { shardId: 1, token: 2, revision: 3 })).toMatchObject({
      ok: true,
      value: { event: 'shard:sync', request: { shardId: 1 } },
    });
    expect(await socket.emitWithAck('shard:sync', { shardId: 'x' })).toMatchObject({
      ok: false,
      error: { code: 'REQUEST_INVALID' },
    });
    expect(await socket.emitWithAck('agent:drain', {})).toEqual({
      ok: false,
      error: { code: 'DRAIN_STATE', message: 'Not now.' },
    });
  });

  test('pushes to a page the aggregate and the rows on screen, when they change', async () => {
    expect(await outcome(connect('/page', { token: 'cft_wrong-token' }))).toMatchObject({ code: 'UNAUTHENTICATED' });
    const socket = connect('/page', { token: viewer });
    const seen: unknown[] = [];
    const pushed: unknown[] = [];
    socket.on('fleet:status', (value) => seen.push(value));
    socket.on('cameras:rows', (value) => pushed.push(value));
    expect(await outcome(socket)).toBe('connected');
    const first = await socket.emitWithAck('cameras:subscribe', { ids: [1, 2] });
    expect(first).toMatchObject({ ok: true, value: { rows } });
    await eventually(() => seen.length > 0);
    status = { cameras: 2 };
    rows = [{ id: 1, verdict: 'black' }, ...rows.slice(1)];
    await eventually(() => pushed.length > 0 && seen.length > 1);
    expect(seen.at(-1)).toEqual({ cameras: 2 });
    expect(pushed).toEqual([{ rows: [{ id: 1, verdict: 'black' }] }]);
  });
});
