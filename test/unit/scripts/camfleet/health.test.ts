import { describe, expect, test } from 'vitest';
import { answers, asked, run } from './command-bench.ts';

describe('health', () => {
  const incident = {
    ...{ id: 9, kind: 'host', key: 'h.example', name: 'h.example', state: 'offline', verdict: 'timeout' },
    ...{ openedAt: 0, closedAt: null, mergedInto: null, cameras: 3, total: 4, evidenceDigest: null },
    reason: '3 cameras of host h.example bring no picture: no complete answer in time.',
  };

  test('health shows states and groups; --json is the answer as it is', async () => {
    const group = { key: 'h.example', name: 'h.example', cameras: 4, ill: 3, states: { online: 1, offline: 3 } };
    const cause = { state: 'offline', verdict: 'timeout', cameras: 3, incidents: 1, since: 0 };
    const suspect = { id: 'a', name: 'first', since: 0, reason: '9 of 10 cameras of agent first fail.' };
    const report = {
      ...{ states: { online: 5, offline: 3 }, openIncidents: 1, causes: [cause], suspects: [suspect], revision: '1' },
      ...{ hosts: [group], sources: [], agents: [] },
    };
    answers['GET /health'] = { body: report };
    const { stdout } = await run('health --limit 3');
    expect(asked[0]).toMatchObject({ query: { limit: '3' } });
    expect(stdout).toMatch(/offline +3/);
    expect(stdout).toMatch(/offline +timeout +3 +1 /);
    expect(stdout).toContain('suspected: 9 of 10 cameras of agent first fail.');
    expect(stdout).toMatch(/h\.example +4 +3 +online 1, offline 3/);
    expect(JSON.parse((await run('health --json')).stdout)).toEqual(report);
  });

  test('incidents are listed page after page, and shown with their cameras', async () => {
    answers['GET /incidents'] = { body: { incidents: [incident], next: null } };
    const words = await run('incidents list --open --state offline');
    expect(asked[0]).toMatchObject({ query: { open: 'true', state: 'offline' } });
    expect(words.stdout).toMatch(/9 +offline +host +h\.example +3 .* open/);
    expect((await run('incidents list --jsonl')).stdout).toBe(`${JSON.stringify(incident)}\n`);
    const members = [{ id: 17, name: 'north', host: 'h.example', joinedAt: 0, leftAt: null }];
    answers['GET /incidents/9'] = { body: { ...incident, members, nextTryAt: 1_700_000_000_000 } };
    const shown = await run('incidents show 9');
    expect(shown.stdout).toContain(incident.reason);
    expect(shown.stdout).toContain('2023-11-14T22:13:20.000Z');
    expect(shown.stdout).toMatch(/17 +north +h\.example .* now/);
    expect((await run('incidents list --state ill')).exit).toBe(2);
  });

  test('the timeline of a camera tells why, what was tried and when it is tried next', async () => {
    answers['GET /cameras/17/timeline'] = {
      body: {
        ...{ cameraId: 17, state: 'black', since: 0, reason: 'The picture is black: nearly no light.', incidentId: 9 },
        ...{ verdict: 'black', transport: 'up', content: 'bad', evidence: {}, agent: 'first', next: null },
        ...{ lastAttemptAt: 0, lastGoodAt: null, nextTryAt: 1_700_000_000_000 },
        tried: [{ verdict: 'black', attempts: 12, lastAt: 0 }],
        states: [{ id: 1, state: 'black', from: 0, until: null, verdict: 'black' }],
        events: [{ kind: 'moved', at: 0 }],
      },
    };
    const { stdout } = await run('cameras timeline 17');
    expect(stdout).toContain('The picture is black: nearly no light.');
    expect(stdout).toContain('black 12');
    expect(stdout).toContain('2023-11-14T22:13:20.000Z');
    expect(stdout).toContain('moved 1970-01-01');
    expect((await run('cameras timeline 17 --jsonl')).stdout.split('\n')).toHaveLength(2);
  });
});
