import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Verdict } from '../../../common/domain/verdict.ts';
import type { Database } from '../../../coordinator/platform/database/database.ts';
import { noteEvents } from '../../../coordinator/results/health/health-repository.ts';
import { HealthPass } from '../../../coordinator/results/health/pass.ts';
import { Placeholders } from '../../../coordinator/results/health/placeholders.ts';
import { listIncidents, readIncident } from '../../../coordinator/results/health/incident-queries.ts';
import type { IncidentFilter } from '../../../coordinator/results/health/incident-queries.ts';
import { readHealth, readSummary, readTimeline } from '../../../coordinator/results/health/queries.ts';
import { SecondOpinions } from '../../../coordinator/results/health/second-opinion.ts';
import type { FleetGuard } from '../../../coordinator/results/health/second-opinion.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { addMembership, createHolder } from './harness.ts';

let own: TestDatabase;
let database: Database;

beforeAll(async () => {
  own = await createTestDatabase();
  database = own.database;
});
afterAll(() => own.drop());
afterEach(() =>
  database.query(`truncate cameras, camera_state, camera_health, camera_timeline, incidents, incident_cameras, frames,
    frame_references, agent_suspicions, memberships, grants, agent_sessions, agents, shards, open_spans, placeholders, camera_events, camera_memories restart identity cascade`),
);

interface AgentDouble extends FleetGuard {
  asked: string[];
  trusted: string[];
}

const nobody = (answer: Awaited<ReturnType<FleetGuard['secondOpinion']>> = null): AgentDouble => {
  const fleet: AgentDouble = {
    asked: [],
    trusted: [],
    secondOpinion: async (agentId) => {
      fleet.asked.push(agentId);
      return answer;
    },
    trust: async (agentId) => void fleet.trusted.push(agentId),
  };
  return fleet;
};

const passOf = (fleet: FleetGuard = nobody()): HealthPass =>
  new HealthPass(database, new SecondOpinions(database, fleet));

async function addAgent(name = 'a'): Promise<string> {
  const id = randomUUID();
  await database.query('insert into agents (id, name, public_key) values ($1, $2, $3)', [id, name, id]);
  return id;
}

async function addCameras(hosts: readonly string[], source = 'test'): Promise<number[]> {
  const rows = await database.many<{ id: number }>(
    `insert into cameras (source, source_camera_id, kind, host, snapshot_url, name, interval_ms, priority, lifecycle)
     select $2, gen_random_uuid(), 'non_ip', host, 'http://' || host || '/a.jpg', host, 60000, 5, 'active'
     from unnest($1::text[]) as host returning id`,
    [hosts, source],
  );
  return rows.map(({ id }) => id);
}

let clock = 0;
/** Every camera was tried by the agent, a minute after the last time. */
async function tried(cameras: readonly number[], verdict: Verdict, agentId: string): Promise<number> {
  clock = Math.max(clock + 1_000, (await database.clockNow()) - 500_000);
  await database.query(
    `insert into camera_state (camera_id, verdict, since, last_attempt_at, last_good_at, evidence, agent_id, token)
     select id, $2, instant_of_ms($3), instant_of_ms($3), null, '{}', $4, 1 from unnest($1::bigint[]) as id
     on conflict (camera_id) do update set verdict = excluded.verdict, last_attempt_at = excluded.last_attempt_at,
       agent_id = excluded.agent_id, changed_at = clock_timestamp()`,
    [cameras, verdict, clock, agentId],
  );
  return clock;
}

async function shows(pass: HealthPass, cameras: readonly number[], verdicts: readonly Verdict[], agent: string) {
  for (const verdict of verdicts) {
    await tried(cameras, verdict, agent);
    await pass.run();
  }
}

const statesOf = async (cameras: readonly number[]): Promise<string[]> =>
  (
    await database.many<{ state: string }>(
      'select state from camera_health where camera_id = any($1::bigint[]) order by camera_id',
      [cameras],
    )
  ).map(({ state }) => state);

const openIncidents = async () => (await listIncidents(database, { open: true }, { limit: 50 })).incidents;

describe('incidents', () => {
  test('cameras of one host that fall ill share one incident, which closes with the last recovery', async () => {
    const agent = await addAgent();
    const pass = passOf();
    const cameras = await addCameras(['one.example', 'one.example', 'two.example']);
    await shows(pass, cameras, ['good', 'http_error', 'http_error'], agent);
    expect(await statesOf(cameras)).toEqual(['online', 'online', 'online']);
    expect(await openIncidents()).toEqual([]);

    await shows(pass, cameras, ['http_error'], agent);
    expect(await statesOf(cameras)).toEqual(['offline', 'offline', 'offline']);
    const incidents = await openIncidents();
    expect(incidents.map(({ kind, key, state, cameras: ill }) => ({ kind, key, state, ill }))).toEqual([
      { kind: 'host', key: 'two.example', state: 'offline', ill: 1 },
      { kind: 'host', key: 'one.example', state: 'offline', ill: 2 },
    ]);
    expect(incidents[1]?.reason).toBe(
      '2 cameras of host one.example bring no picture: the host answered with an error.',
    );

    await shows(pass, [cameras[0] as number], ['good', 'good', 'good'], agent);
    expect((await readIncident(database, incidents[1]?.id ?? 0)).cameras).toBe(1);
    await shows(pass, cameras, ['good', 'good', 'good'], agent);
    expect(await openIncidents()).toEqual([]);
    const closed = await readIncident(database, incidents[1]?.id ?? 0);
    expect(closed).toMatchObject({ cameras: 0, total: 2, closedAt: expect.any(Number) });
    expect(closed.members).toHaveLength(2);
    expect((await readHealth(database, 10)).states).toEqual({ online: 3 });
  });

  test('the timeline tells each state once, with reason and next try, and its ends meet', async () => {
    const agent = await addAgent();
    const pass = passOf();
    const [camera = 0] = await addCameras(['one.example']);
    await shows(pass, [camera], ['good', 'black', 'black', 'black', 'black', 'good', 'good', 'good'], agent);
    const { states, state, reason } = await readTimeline(database, camera, { limit: 10 });
    expect(states.map((entry) => entry.state)).toEqual(['online', 'black', 'online']);
    expect(states[0]?.from).toBe(states[1]?.until);
    expect(states[1]?.from).toBe(states[2]?.until);
    expect({ state, reason }).toEqual({ state: 'online', reason: 'Pictures come and show something.' });
    const second = await readTimeline(database, camera, { limit: 1, before: states[0]?.id });
    expect(second.states.map((entry) => entry.state)).toEqual(['black']);
    expect(second.next).toBe(states[1]?.id);
  });

  test('the timeline since an instant has what lasted beyond it, with a picture of each time', async () => {
    const agent = await addAgent();
    const pass = passOf();
    const [camera = 0] = await addCameras(['one.example']);
    await shows(pass, [camera], ['good', 'black', 'black', 'black'], agent);
    const middle = clock;
    await database.query(
      `insert into frames (digest, camera_id, at, reason, bytes, verdict)
       values ($1, $2, instant_of_ms($3), 'verdict', 10, 'black')`,
      ['a'.repeat(64), camera, middle],
    );
    await shows(pass, [camera], ['good', 'good', 'good'], agent);
    const { states } = await readTimeline(database, camera, { limit: 10, since: middle });
    expect(states.map((entry) => [entry.state, entry.frameDigest])).toEqual([
      ['online', null],
      ['black', 'a'.repeat(64)],
    ]);
  });

  test('the summary counts what is wrong, and changes with every change of the open incidents', async () => {
    const agent = await addAgent();
    const pass = passOf();
    const cameras = await addCameras(['one.example', 'one.example', 'two.example']);
    const before = await readSummary(database);
    expect(before).toMatchObject({ openIncidents: 0, causes: [], suspects: [] });
    await shows(pass, cameras.slice(0, 2), ['good', 'http_error', 'http_error', 'http_error'], agent);
    const { revision, causes } = await readSummary(database);
    expect(causes).toMatchObject([{ state: 'offline', verdict: 'http_error', incidents: 1, cameras: 2 }]);
    await shows(pass, cameras.slice(2), ['good', 'black', 'black', 'black'], agent);
    const after = await readSummary(database);
    expect(new Set([before.revision, revision, after.revision]).size).toBe(3);
    expect(after).toMatchObject({ openIncidents: 2, states: { offline: 2, black: 1 } });
    expect(after.causes.map(({ state, cameras: ill }) => [state, ill])).toEqual([
      ['offline', 2],
      ['black', 1],
    ]);
  });

  test('incidents are found by cause, and by what their cameras are; the largest come first where that is asked', async () => {
    const agent = await addAgent('finder');
    const pass = passOf();
    const cameras = await addCameras(['one.example', 'one.example', 'two.example']);
    await database.query(`update cameras set country = 'CZ', tags = '{bridge}' where host = 'two.example'`);
    await shows(pass, cameras, ['good'], agent);
    await shows(pass, cameras.slice(0, 2), ['timeout', 'timeout', 'timeout'], agent);
    await shows(pass, cameras.slice(2), ['frozen', 'frozen', 'frozen'], agent);
    const keys = async (filter: IncidentFilter, order?: 'cameras') =>
      (await listIncidents(database, filter, { limit: 10, order })).incidents.map(({ key }) => key);
    expect(await keys({})).toEqual(['two.example', 'one.example']);
    expect(await keys({ open: true }, 'cameras')).toEqual(['one.example', 'two.example']);
    expect(await keys({ verdict: 'timeout' })).toEqual(['one.example']);
    for (const filter of [{ host: 'two.example' }, { country: 'CZ' }, { tag: 'bridge' }, { state: 'frozen' }]) {
      expect(await keys(filter), JSON.stringify(filter)).toEqual(['two.example']);
    }
    expect(await keys({ agent: 'finder', source: 'test' })).toHaveLength(2);
    expect(await keys({ agent: 'another' })).toEqual([]);
    await database.query('insert into camera_memories (camera_id, last_attempt_at, memory) values ($1, now(), $2)', [
      cameras[2],
      JSON.stringify({ lastAttemptAt: 0, pace: { nextDueAt: 4_000_000_000_000 } }),
    ]);
    const [incident] = (await listIncidents(database, { host: 'two.example' }, { limit: 1 })).incidents;
    const { doing, nextTryAt } = await readIncident(database, incident?.id ?? 0);
    expect(doing).toBe('Its cameras are asked as often as ever. Three good pictures in a row bring a camera back.');
    expect(nextTryAt).toBe(4_000_000_000_000);
  });

  test('the evidence picture of an open incident is pinned, and free again afterwards', async () => {
    const agent = await addAgent();
    const pass = passOf();
    const [camera = 0] = await addCameras(['one.example']);
    const keep = (digest: string, verdict: Verdict, ago: number) =>
      database.query(
        `insert into frames (digest, camera_id, at, reason, bytes, verdict)
         values ($1, $2, clock_timestamp() - make_interval(secs => $4), 'verdict', 10, $3)`,
        [digest, camera, verdict, ago],
      );
    await keep('a'.repeat(64), 'black', 500);
    await keep('b'.repeat(64), 'good', 100);
    await shows(pass, [camera], ['good', 'black', 'black', 'black'], agent);
    expect(await openIncidents()).toMatchObject([{ evidenceDigest: 'a'.repeat(64), evidenceFits: true }]);
    const pins = () => database.many(`select digest from frame_references where kind = 'incident'`);
    expect(await pins()).toEqual([{ digest: 'a'.repeat(64) }]);
    await shows(pass, [camera], ['good', 'good', 'good'], agent);
    expect(await pins()).toEqual([]);
    // What is of no use may be a picture, too.
    await keep('c'.repeat(64), 'blank', 50);
    await shows(pass, [camera], ['blank', 'blank', 'blank', 'blank', 'blank'], agent);
    expect(await openIncidents()).toMatchObject([
      { state: 'degraded', evidenceDigest: 'c'.repeat(64), evidenceFits: true },
    ]);
  });

  test('half of a source on many hosts is one incident of the source, which hosts that fail later join', async () => {
    const agent = await addAgent();
    const pass = passOf();
    const hosts = Array.from({ length: 12 }, (_, i) => `h${i}.example`);
    const cameras = await addCameras(hosts, 'big');
    await addCameras(['well.example'], 'other');
    await shows(pass, cameras, ['good'], agent);
    await shows(pass, cameras.slice(0, 11), ['http_error', 'http_error', 'http_error'], agent);
    expect(await openIncidents()).toHaveLength(11);
    await pass.upkeep();
    expect(await openIncidents()).toMatchObject([{ kind: 'source', key: 'big', state: 'offline', cameras: 11 }]);
    await shows(pass, cameras.slice(11), ['http_error', 'http_error', 'http_error'], agent);
    expect(await openIncidents()).toMatchObject([{ kind: 'source', cameras: 12 }]);
    await shows(pass, cameras, ['good', 'good', 'good'], agent);
    expect(await openIncidents()).toEqual([]);
  });
});

describe('what time and operators change', () => {
  test('a paused camera is paused, whatever it showed, and its incident is over', async () => {
    const agent = await addAgent();
    const pass = passOf();
    const [camera = 0] = await addCameras(['one.example']);
    await shows(pass, [camera], ['timeout', 'timeout', 'timeout'], agent);
    expect(await statesOf([camera])).toEqual(['offline']);
    await database.query(`update cameras set lifecycle = 'paused'`);
    await pass.upkeep();
    await shows(pass, [camera], ['timeout'], agent);
    expect(await statesOf([camera])).toEqual(['paused']);
    expect(await openIncidents()).toEqual([]);
    await database.query(`update cameras set lifecycle = 'active'`);
    await pass.upkeep();
    expect(await statesOf([camera])).toEqual(['unknown']);
    await shows(pass, [camera], ['good'], agent);
    expect(await statesOf([camera])).toEqual(['online']);
  });

  test('what nobody tries any more is unknown, and a retired camera has no health', async () => {
    const agent = await addAgent();
    const pass = passOf();
    const cameras = await addCameras(['one.example', 'two.example']);
    await shows(pass, cameras, ['good', 'black', 'black', 'black'], agent);
    await database.query(`update camera_state set last_attempt_at = last_attempt_at - interval '4 hours'`);
    await database.query(`update cameras set lifecycle = 'retired' where id = $1`, [cameras[1]]);
    await pass.upkeep();
    expect(await statesOf(cameras)).toEqual(['unknown']);
    expect(await openIncidents()).toEqual([]);
  });
});

describe('the guard against mass failures', () => {
  const hosts = Array.from({ length: 10 }, (_, i) => `h${i}.example`);

  async function confirmed(verdict: Verdict) {
    const [suspect, other] = [await addAgent('first'), await addAgent('second')];
    const cameras = await addCameras(hosts);
    const { shardId } = await createHolder(database, { cameras: [], from: 0 });
    for (const camera of cameras.slice(0, 3)) await addMembership(database, { camera, shardId, from: 0 });
    const fleet = nobody({ shardId, agentId: other });
    const pass = passOf(fleet);
    await shows(pass, cameras, ['good', 'timeout', 'timeout', 'timeout'], suspect);
    expect(new Set(await statesOf(cameras))).toEqual(new Set(['unknown']));
    expect(fleet.asked).toEqual([suspect]);
    expect(await openIncidents()).toMatchObject([{ kind: 'agent', name: 'first', cameras: 10 }]);
    expect((await readTimeline(database, cameras[5] as number, { limit: 1 })).reason).toContain('first');
    // The other agent has looked after the suspicion began.
    clock = Math.max(clock, await database.clockNow());
    await shows(pass, cameras.slice(0, 3), [verdict], other);
    await shows(pass, cameras.slice(3), ['timeout', 'timeout'], suspect);
    return { pass, cameras, suspect, fleet };
  }

  test('no camera is marked down before another agent has found it down, too', async () => {
    const { cameras, fleet, suspect } = await confirmed('timeout');
    expect(new Set(await statesOf(cameras))).toEqual(new Set(['offline']));
    expect((await openIncidents()).map(({ kind }) => kind)).not.toContain('agent');
    expect(fleet.trusted).toContain(suspect);
  });

  test('where another agent reaches them the agent is to blame, until its cameras answer again', async () => {
    const { pass, cameras, suspect, fleet } = await confirmed('good');
    expect(new Set(await statesOf(cameras.slice(3)))).toEqual(new Set(['unknown']));
    const summary = await readSummary(database);
    expect(summary.suspects).toMatchObject([{ id: suspect, name: 'first', failing: 10, tried: 10 }]);
    expect(summary.suspects[0]?.reason).toContain('agent second reaches them');
    expect((await openIncidents())[0]?.doing).toMatch(/not marked down/);
    expect((await openIncidents())[0]?.reason).toBe(
      'Agent first gets no answer from most of its cameras at once, but agent second reaches them: look after the network of first, or drain it. 7 cameras wait for it.',
    );
    await shows(pass, cameras.slice(3), ['good', 'good', 'good'], suspect);
    expect(new Set(await statesOf(cameras.slice(3)))).toEqual(new Set(['online']));
    await pass.run();
    expect(fleet.trusted).toEqual([suspect]);
    expect(await openIncidents()).toEqual([]);
  });

  test('hosts that refuse prove that the network is well, and so does one host alone', async () => {
    const agent = await addAgent();
    const pass = passOf();
    const refusing = await addCameras(hosts);
    await shows(pass, refusing, ['good', 'http_error', 'http_error', 'http_error'], agent);
    expect(new Set(await statesOf(refusing))).toEqual(new Set(['offline']));
    const silent = await addCameras(Array<string>(8).fill('one.example'));
    const second = await addAgent('b');
    await shows(pass, silent, ['good', 'timeout', 'timeout', 'timeout'], second);
    expect(new Set(await statesOf(silent))).toEqual(new Set(['offline']));
  });
});

describe('placeholder pictures', () => {
  const card = 'ab'.repeat(24);
  const showCard = (cameras: readonly number[], hash = card) =>
    database.query('update camera_state set evidence = $2 where camera_id = any($1::bigint[])', [
      cameras,
      JSON.stringify({ picture: hash }),
    ]);
  const later = () => database.query(`update placeholders set first_seen_at = first_seen_at - interval '1 minute'`);

  test('the same still picture on three cameras of a host becomes one, when it is seen again later', async () => {
    const agent = await addAgent();
    const placeholders = new Placeholders(database);
    const cameras = await addCameras(['one.example', 'one.example', 'one.example', 'two.example']);
    await tried(cameras, 'good', agent);
    await showCard(cameras.slice(1));
    expect(await placeholders.learn()).toBe(0);
    await later();
    // Two of a host and one of another are not enough.
    expect(await placeholders.list()).toEqual([]);
    await showCard(cameras);
    expect(await placeholders.learn()).toBe(0);
    const { revision } = await placeholders.current();
    expect(await placeholders.list()).toMatchObject([{ hash: card, host: 'one.example', cameras: 3, learnedAt: null }]);
    await later();
    expect(await placeholders.learn()).toBe(1);
    expect(await placeholders.current()).toEqual({ revision: revision + 1, hashes: [card] });
    expect(await placeholders.learn()).toBe(0);
  });

  test('one camera that is registered three times is no card, nor is what was dismissed', async () => {
    const agent = await addAgent();
    const placeholders = new Placeholders(database);
    const cameras = await addCameras(Array<string>(3).fill('one.example'));
    await database.query('update cameras set latitude = 50.00001, longitude = 8');
    await tried(cameras, 'good', agent);
    await showCard(cameras);
    await placeholders.learn();
    expect(await placeholders.list()).toEqual([]);
    await database.query('update cameras set latitude = id, longitude = 8');
    await placeholders.learn();
    await later();
    expect(await placeholders.learn()).toBe(1);
    await placeholders.dismiss(card);
    await placeholders.learn();
    expect((await placeholders.current()).hashes).toEqual([]);
    await expect(placeholders.dismiss('cd'.repeat(24))).rejects.toMatchObject({ code: 'PLACEHOLDER_NOT_FOUND' });
  });
});

test('the next try is when the agent means to try again, and none where no agent has the camera', async () => {
  const agent = await addAgent();
  const [camera = 0] = await addCameras(['one.example']);
  await tried([camera], 'timeout', agent);
  const nextTry = async () => (await readTimeline(database, camera, { limit: 1 })).nextTryAt;
  expect(await nextTry()).toBeNull();
  await createHolder(database, { cameras: [camera], from: 0 });
  const now = await database.clockNow();
  expect(Math.abs(((await nextTry()) ?? 0) - now)).toBeLessThan(600_000);
  const retryAt = Math.round(now) + 1_800_000;
  await database.query('insert into camera_memories (camera_id, last_attempt_at, memory) values ($1, now(), $2)', [
    camera,
    JSON.stringify({ lastAttemptAt: 0, pace: { nextDueAt: 5, failures: 7, retryAt } }),
  ]);
  expect(await nextTry()).toBe(retryAt);
  expect((await readTimeline(database, camera, { limit: 1 })).failuresInARow).toBe(7);
});

test('events that agents tell are recorded once, and shown in the timeline', async () => {
  const agent = await addAgent();
  const [camera = 0] = await addCameras(['one.example']);
  await tried([camera], 'good', agent);
  const at = Math.round(await database.clockNow()) - 60_000;
  await database.query('update camera_state set evidence = $1', [JSON.stringify({ movedAt: at, blurredAt: 'soon' })]);
  await noteEvents(database, 0);
  await noteEvents(database, 0);
  expect((await readTimeline(database, camera, { limit: 5 })).events).toEqual([{ kind: 'moved', at }]);
});
