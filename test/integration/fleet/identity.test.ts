import { afterEach, beforeEach, expect, test } from 'vitest';
import { createKeyPair } from '../../../common/storage/signature.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { FleetBench } from './support.ts';

let db: TestDatabase;
let bench: FleetBench;

beforeEach(async () => {
  db = await createTestDatabase();
  bench = new FleetBench(db.database);
  bench.setCameras(10);
});
afterEach(async () => {
  await bench.fleet.stop();
  await db.drop();
});

test('an invitation for two agents serves two of many that ask at once', async () => {
  const { code } = await bench.fleet.agents.invite({ createdBy: 'test', uses: 2 });
  const joins = Array.from({ length: 6 }, (_, n) =>
    bench.fleet.agents.join({ invitation: code, name: `a${n}`, publicKey: createKeyPair().publicKey }),
  );
  const results = await Promise.allSettled(joins);
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
  const refused = results.find((one) => one.status === 'rejected') as PromiseRejectedResult;
  expect(refused.reason).toMatchObject({ code: 'INVITATION_REFUSED' });
});

test('a join whose answer was lost can be repeated, and uses nothing up', async () => {
  const { code } = await bench.fleet.agents.invite({ createdBy: 'test' });
  const join = { invitation: code, name: 'one', publicKey: createKeyPair().publicKey };
  const first = await bench.fleet.agents.join(join);
  expect(await bench.fleet.agents.join(join)).toEqual(first);
});

test('an invitation that is too old or unknown is refused', async () => {
  const { code } = await bench.fleet.agents.invite({ createdBy: 'test' });
  await db.database.query(`update invitations set expires_at = clock_timestamp() - interval '1 s'`);
  const { publicKey } = createKeyPair();
  for (const invitation of [code, 'x'.repeat(32)]) {
    const join = bench.fleet.agents.join({ invitation, name: 'one', publicKey });
    await expect(join).rejects.toMatchObject({ code: 'INVITATION_REFUSED' });
  }
});

test('a nonce serves once, and only with the right key and a protocol that we speak', async () => {
  const agent = await bench.join('one');
  const nonce = await bench.fleet.sessions.nonce();
  expect((await agent.handshake({ nonce })).ok).toBe(true);
  expect(await agent.handshake({ nonce })).toMatchObject({ error: { code: 'NONCE_REFUSED' } });
  const forged = `${nonce.slice(0, -2)}AA`;
  expect(await agent.handshake({ nonce: forged })).toMatchObject({ error: { code: 'NONCE_REFUSED' } });
  expect(await agent.handshake({ protocol: 99 })).toMatchObject({ error: { code: 'PROTOCOL_UNSUPPORTED' } });
  const sessionId = crypto.randomUUID();
  const stranger = { agentId: agent.agentId, sessionId, nonce: await bench.fleet.sessions.nonce(), signature: 'AAAA' };
  const answer = await bench.fleet.sessions.handshake({ ...stranger, protocol: { min: 1, max: 1 } });
  expect(answer).toMatchObject({ error: { code: 'SIGNATURE_WRONG' } });
});

test('a revoked agent loses its key, its windows and the way back in', async () => {
  await bench.fleet.start();
  const agent = await bench.join('one');
  await eventually(async () => (await agent.work(), agent.grants.size > 0));
  const tokens = [...agent.grants.values()].map(({ token }) => token);
  expect(await bench.fleet.sessions.authenticate(agent.sessionKey)).toEqual(agent.session);
  await bench.fleet.agents.revoke(agent.agentId);
  expect(await bench.fleet.sessions.authenticate(agent.sessionKey)).toBeUndefined();
  const { windows } = await db.database.transaction((tx) => bench.fleet.window.lockWindows(tx, tokens));
  expect([...windows.values()].every(({ until }) => until !== null)).toBe(true);
  expect((await agent.renew()).grants.every(({ state }) => state === 'revoked')).toBe(true);
  expect(await agent.handshake()).toMatchObject({ error: { code: 'AGENT_REVOKED' } });
  expect((await bench.fleet.status()).agents[0]?.state).toBe('revoked');
});

test('the key of the connection before stays good while an agent reconnects', async () => {
  const agent = await bench.join('one');
  const before = agent.sessionKey;
  await agent.begin();
  expect(await bench.fleet.sessions.authenticate(before)).toEqual(agent.session);
  expect(await bench.fleet.sessions.authenticate(agent.sessionKey)).toEqual(agent.session);
});
