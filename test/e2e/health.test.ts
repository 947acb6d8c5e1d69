import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { HealthReport, IncidentRow, TimelineReport } from '../../common/protocol/health.ts';
import { longTest } from '../support/long.ts';
import { eventually } from '../support/eventually.ts';
import { CAMERAS, CLOCKS, TestFleet } from './counts/fleet.ts';

vi.setConfig({ testTimeout: CLOCKS.limitMs, hookTimeout: CLOCKS.limitMs });

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await TestFleet.start();
  await fleet.heldBy(fleet.agents, CLOCKS.spreadMs);
});
afterAll(() => fleet.stop());

const states = async (): Promise<HealthReport['states']> => (await fleet.api.get<HealthReport>('/health')).states;
const openIncidents = async (): Promise<IncidentRow[]> =>
  (await fleet.api.get<{ incidents: IncidentRow[] }>('/incidents?open=true')).incidents;
const allOnline = (withinMs = 60_000) =>
  eventually(async () => (await states()).online === CAMERAS, { withinMs, what: 'all cameras to be online' });
/** Cameras that fail are tried ever more seldom: after ten failures in a row about every five minutes. */
const BACKED_OFF_MS = 600_000;

/** Cameras by the agent that holds them: ids, and the farm's names. */
const camerasOf = (agent: string) =>
  fleet.database.many<{ id: number; name: string; host: string }>(
    `select c.id, c.source_camera_id as name, c.host from cameras c
     join memberships m on m.camera_id = c.id and m.until_at is null
     join grants g on g.shard_id = m.shard_id and g.until_at is null join agents a on a.id = g.agent_id
     where a.name = $1 order by c.id`,
    [agent],
  );

test('the numbers of Prometheus count cameras by state', async () => {
  await allOnline();
  const metrics = await (await fetch(`http://127.0.0.1:${fleet.coordinatorPort}/metrics`)).text();
  expect(metrics).toContain(`camfleet_cameras_by_state{state="online"} ${CAMERAS}`);
});

test('a camera whose lens is covered is black, with its picture as evidence, and online again afterwards', async () => {
  await allOnline();
  const [camera] = await camerasOf('agent-1');
  fleet.farm.setFault(camera!.name, 'black');
  await eventually(async () => (await openIncidents())[0]?.evidenceFits === true, { withinMs: 60_000 });
  const [incident] = await openIncidents();
  expect(incident).toMatchObject({ kind: 'host', key: camera!.host, state: 'black', cameras: 1, verdict: 'black' });
  const frame = 'select verdict from frames where digest = $1';
  expect(await fleet.database.many(frame, [incident!.evidenceDigest])).toEqual([{ verdict: 'black' }]);
  const timeline = await fleet.api.get<TimelineReport>(`/cameras/${camera!.id}/timeline`);
  expect(timeline).toMatchObject({
    state: 'black',
    reason: 'The picture is black: nearly no light and nothing to see.',
    incidentId: incident!.id,
    transport: 'up',
    content: 'bad',
    nextTryAt: expect.any(Number) as number,
  });
  expect(timeline.tried[0]).toMatchObject({ verdict: 'black' });
  fleet.farm.setFault(camera!.name, null);
  await allOnline();
  expect(await openIncidents()).toEqual([]);
});

longTest(
  'when the cameras of an agent fail together none is marked down before the other agent has looked',
  async () => {
    const cameras = await camerasOf('agent-1');
    expect(new Set(cameras.map(({ host }) => host)).size).toBeGreaterThanOrEqual(3);
    for (const { name } of cameras) fleet.farm.setFault(name, 'reset');
    await eventually(async () => (await openIncidents()).some(({ kind }) => kind === 'agent'), { withinMs: 60_000 });
    const lookedAt = (): Promise<{ id: number }[]> =>
      fleet.database.many<{ id: number }>(
        `select s.camera_id as id from camera_state s join agents a on a.id = s.agent_id
       where a.name = 'agent-2' and s.camera_id = any($1::bigint[])`,
        [cameras.map(({ id }) => id)],
      );
    let looked = 0;
    await eventually(
      async () => {
        const { offline = 0 } = await states();
        // Read after the states: whoever is down by then was looked at before.
        looked = (await lookedAt()).length;
        if (offline > 0) expect(looked).toBeGreaterThan(0);
        // Cameras that fail are tried ever more seldom, so that the last of them is down much later.
        return offline > 0;
      },
      { withinMs: 90_000, what: 'one of them to be down' },
    );
    expect(looked).toBeGreaterThan(0);
    await eventually(async () => !(await openIncidents()).some(({ kind }) => kind === 'agent'), { withinMs: 30_000 });
    await eventually(async () => (await states()).offline === cameras.length, {
      withinMs: BACKED_OFF_MS,
      what: 'all of them to be down',
    });
    expect((await states()).online).toBe(CAMERAS - cameras.length);
    for (const { name } of cameras) fleet.farm.setFault(name, null);
    await allOnline(BACKED_OFF_MS);
    expect(await openIncidents()).toEqual([]);
    expect((await fleet.database.one<{ suspected: number }>('select count(suspected_at)::int as suspected from agents')).suspected).toBe(0); // prettier-ignore
  },
  2 * BACKED_OFF_MS + CLOCKS.limitMs,
);
