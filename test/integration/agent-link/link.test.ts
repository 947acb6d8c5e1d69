import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { expect, onTestFinished, test } from 'vitest';
import { CoordinatorHttp } from '../../../agent/link/coordinator-http.ts';
import { CoordinatorLink } from '../../../agent/link/link.ts';
import { AGENT_NAMESPACE } from '../../../common/protocol/agent-link.ts';
import type { AgentToCoordinator, CoordinatorToAgent } from '../../../common/protocol/agent-link.ts';
import { systemClock } from '../../../common/runtime/clock.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { ok } from '../../../common/runtime/result.ts';
import { createKeyPair } from '../../../common/storage/signature.ts';
import { Line } from '../../e2e/counts/proxy.ts';

const WELCOME = { sessionKey: 'key', ttlMs: 15_000, renewMs: 5_000, autonomyMs: 60_000, reportMs: 5_000 };
const RENEWAL = { grants: [], capacity: 1, rate: 0, late: 0, modelVersion: null, outboxBatches: 0, draining: false };
const HELLO = { name: 'one', version: '0', capacity: 1, probe: [], highestToken: 0, held: [] };

interface Coordinator {
  port: number;
  /** False: it is too busy to renew anything, but it is there and pings. */
  renews: boolean;
}

/** Says welcome to everybody and renews everything. */
async function startCoordinator(options: { pingInterval?: number } = {}): Promise<Coordinator> {
  const coordinator = { port: 0, renews: true };
  const http = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ nonce: randomUUID() }));
  });
  const server = new Server<AgentToCoordinator, CoordinatorToAgent>(http, options);
  server.of(AGENT_NAMESPACE).on('connection', (socket) => {
    socket.on('agent:hello', (_hello, answer) => answer(ok({ ...WELCOME, now: Date.now(), modelVersion: null })));
    socket.on('lease:renew', (_renew, answer) => {
      const stretch = { factor: 1, belowPriority: 0 };
      if (coordinator.renews)
        answer(ok({ now: Date.now(), waitedMs: 0, grants: [], stretch, modelVersion: null, workAvailable: false }));
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(async () => {
    await server.close();
  });
  coordinator.port = (http.address() as AddressInfo).port;
  return coordinator;
}

/** A link that waits 200 ms for each answer, after its welcome. */
async function connect(url: string): Promise<CoordinatorLink> {
  const { publicKey, privateKey } = createKeyPair();
  const link = new CoordinatorLink({
    identity: { agentId: randomUUID(), coordinatorUrl: url, coordinatorKey: publicKey, name: 'one', privateKey },
    sessionId: randomUUID(),
    http: new CoordinatorHttp({ url, timeoutMs: 1_000 }),
    hello: () => HELLO,
    ...{ clock: systemClock, logger: silentLogger, callTimeoutMs: 200 },
  });
  onTestFinished(() => link.close());
  const ready = once(link, 'ready');
  link.connect();
  await ready;
  return link;
}

test('a half-open connection is given up after two renewals without an answer, and a new one is made', async () => {
  const { port } = await startCoordinator();
  const line = new Line(() => port);
  await line.listen();
  onTestFinished(() => line.close());
  const link = await connect(line.url);
  expect(await link.call('lease:renew', RENEWAL)).toMatchObject({ ok: true });

  line.set('silent');
  expect(await link.call('lease:renew', RENEWAL)).toMatchObject({ ok: false, error: { code: 'NO_ANSWER' } });
  expect(link.isReady).toBe(true);
  const lost = once(link, 'lost');
  expect(await link.call('lease:renew', RENEWAL)).toMatchObject({ ok: false, error: { code: 'NO_ANSWER' } });
  await lost;
  expect(link.isReady).toBe(false);

  const again = once(link, 'ready');
  line.set('open');
  await again;
  expect(await link.call('lease:renew', RENEWAL)).toMatchObject({ ok: true });
});

test('a coordinator that pings but is too busy to renew keeps its connections', async () => {
  const coordinator = await startCoordinator({ pingInterval: 50 });
  const link = await connect(`http://127.0.0.1:${coordinator.port}`);
  let losses = 0;
  link.on('lost', () => losses++);
  coordinator.renews = false;
  for (let renewal = 0; renewal < 5; renewal++) {
    expect(await link.call('lease:renew', RENEWAL)).toMatchObject({ ok: false, error: { code: 'NO_ANSWER' } });
  }
  coordinator.renews = true;
  expect(await link.call('lease:renew', RENEWAL)).toMatchObject({ ok: true });
  expect(losses).toBe(0);
});
