import { expect, test } from 'vitest';
import type { AgentNumbers, FleetStatus } from '../../../../common/protocol/status.ts';
import { answers, run } from './command-bench.ts';

const agent = (name: string, more: Partial<AgentNumbers> = {}): AgentNumbers => ({
  ...{ id: name, name, state: 'online', capacity: 100, rate: 4, cameras: 40, late: 0, outboxBatches: 0 },
  ...{ refusedBatches: 0, picturesDropped: 0, modelVersion: null, lastSeenAt: null },
  ...more,
});

const status = (agents: AgentNumbers[]): FleetStatus => ({
  cameras: {
    total: 40,
    byLifecycle: { active: 40 },
    capturable: 40,
    attempted: 40,
    byVerdict: { good: 40 },
    slower: 0,
  },
  health: { states: {}, openIncidents: 0, causes: [], suspects: [], revision: '' },
  agents,
  shards: { total: 4, held: 4 },
  load: { asked: 4, capacity: 100, rate: 4 },
  ...{ stretch: { factor: 1, belowPriority: 0 }, advice: null, bytes: [], model: null },
  totals: { attempts: 0, frames: 0, unchanged: 0, classified: 0, gated: 0, audited: 0, spans: 0, verdicts: {} },
  frames: { kept: 0, bytes: 0, quotaBytes: 1, full: false },
});

test('status names agents with refused batches and where these lie, and counts dropped pictures', async () => {
  answers['GET /status'] = {
    body: status([agent('east', { refusedBatches: 2, picturesDropped: 5 }), agent('west', { picturesDropped: 1 })]),
  };
  const { stdout } = await run('status');
  expect(stdout).toMatch(/refused +2 batches of east, kept in outbox\/refused of its data folder\n/);
  expect(stdout).toMatch(/dropped +6 pictures/);
});

test('where nothing was refused or dropped, status has no word about it', async () => {
  answers['GET /status'] = { body: status([agent('east')]) };
  expect((await run('status')).stdout).not.toMatch(/refused|dropped/);
});
