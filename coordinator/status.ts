import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { HealthSummary } from '../common/protocol/health.ts';
import type { AgentNumbers, CameraNumbers, DayBytes, FleetStatus, Totals } from '../common/protocol/status.ts';
import { KeptAnswer } from '../common/runtime/kept-answer.ts';
import type { AgentInfo } from './fleet/agents.ts';
import type { FleetStatus as FleetSummary } from './fleet/fleet.ts';
import type { Database } from './platform/database/database.ts';
import type { MetricSource } from './platform/http/metrics.ts';

export interface StatusParts {
  database: Database;
  fleet(): Promise<FleetSummary>;
  health(): Promise<HealthSummary>;
  /** The model in force. */
  model(): Promise<{ version: string; name: string } | null>;
  frames: { quotaBytes: number };
}

/** What pages ask for each second is computed once for all of them. */
const FRESH_MS = 900;
/** Adding up spans costs most and changes least. */
const TOTALS_FRESH_MS = 5_000;
const DAY_MS = 86_400_000;

/** The fleet in numbers. Reads across the rooms' tables, and only here; writes nothing. */
export class StatusReader {
  readonly #parts: StatusParts;
  /** Puts together what is kept for itself: what one part costs must not make the others old. */
  readonly #status = new KeptAnswer(() => this.#read(this.#totals.get(), this.#cameras.get()), FRESH_MS, {
    mostShare: 1,
  });
  readonly #cameras = new KeptAnswer(() => this.#readCameras(0), FRESH_MS);
  readonly #totals = new KeptAnswer(() => this.#readTotals(Date.now() - DAY_MS), TOTALS_FRESH_MS);

  constructor(parts: StatusParts) {
    this.#parts = parts;
  }

  /** Totals are those of spans that began in the last 24 hours. */
  recent(): Promise<FleetStatus> {
    return this.#status.get();
  }

  /** Of cameras tried and spans begun at `since` (ms) or later, read anew. */
  since(since: number): Promise<FleetStatus> {
    return this.#read(this.#readTotals(since), this.#readCameras(since));
  }

  async #read(totals: Promise<Totals>, numbers: Promise<CameraNumbers>): Promise<FleetStatus> {
    const [fleet, health, held, frames, bytes, model, counted, cameras] = await Promise.all([
      this.#parts.fleet(),
      this.#parts.health(),
      this.#readHeld(),
      this.#readFrames(),
      this.#readBytes(),
      this.#parts.model(),
      totals,
      numbers,
    ]);
    const { agents, stretch, advice } = fleet;
    const working = agents.filter(({ state }) => state === 'online');
    return {
      cameras,
      health,
      agents: agents.map(agentNumbers),
      shards: { total: fleet.shards, held },
      load: {
        asked: fleet.demand,
        capacity: sum(working.map(({ capacity }) => capacity)),
        rate: sum(agents.map(({ rate }) => rate)),
      },
      stretch,
      advice,
      totals: counted,
      bytes,
      frames,
      model,
    };
  }

  async #readHeld(): Promise<number> {
    const open = 'select count(*)::int as held from grants where until_at is null';
    return (await this.#parts.database.one<{ held: number }>(open)).held;
  }

  async #readCameras(since: number): Promise<CameraNumbers> {
    const { database } = this.#parts;
    const lifecycles = await database.many<{ key: string; count: number }>(
      'select lifecycle as key, count(*)::int as count from cameras group by 1 order by 1',
    );
    const states = await database.many<{ key: string | null; count: number; slower: number }>(
      `select s.verdict as key, count(*)::int as count,
         count(*) filter (where f.stretch_factor > 1 and c.priority < f.stretch_below)::int as slower
       from cameras c cross join fleet_settings f left join camera_state s on s.camera_id = c.id
         and s.last_attempt_at >= to_timestamp($1::float8 / 1000)
       where c.lifecycle = 'active' and c.transport is not null and c.taken_down is null group by 1 order by 1`,
      [since],
    );
    const tried = states.filter(({ key }) => key !== null);
    return {
      total: sum(lifecycles.filter(({ key }) => key !== 'retired').map(({ count }) => count)),
      byLifecycle: Object.fromEntries(lifecycles.map(({ key, count }) => [key, count])),
      capturable: sum(states.map(({ count }) => count)),
      attempted: sum(tried.map(({ count }) => count)),
      byVerdict: Object.fromEntries(tried.map(({ key, count }) => [key, count])),
      slower: sum(states.map(({ slower }) => slower)),
    };
  }

  async #readTotals(since: number): Promise<Totals> {
    const rows = await this.#parts.database.many<Omit<Totals, 'verdicts'> & { verdict: string }>(
      `select verdict, sum(attempts)::float8 as attempts, sum(frames)::float8 as frames, sum(unchanged)::float8 as unchanged,
         sum(classified)::float8 as classified, sum(gated)::float8 as gated, sum(audited)::float8 as audited,
         count(*)::float8 as spans
       from (
         select verdict, attempts, frames, unchanged, classified, gated, audited from open_spans
         where first_at >= to_timestamp($1::float8 / 1000)
         union all
         select verdict, attempts, frames, unchanged, classified, gated, audited from observations
         where first_at >= to_timestamp($1::float8 / 1000)
       ) spans group by verdict order by verdict`,
      [since],
    );
    const total = (key: 'attempts' | 'frames' | 'unchanged' | 'classified' | 'gated' | 'audited' | 'spans'): number =>
      sum(rows.map((row) => row[key]));
    return {
      attempts: total('attempts'),
      frames: total('frames'),
      unchanged: total('unchanged'),
      classified: total('classified'),
      gated: total('gated'),
      audited: total('audited'),
      spans: total('spans'),
      verdicts: Object.fromEntries(rows.map(({ verdict, attempts }) => [verdict, attempts])),
    };
  }

  async #readFrames(): Promise<FleetStatus['frames']> {
    const { quotaBytes } = this.#parts.frames;
    const { kept, bytes } = await this.#parts.database.one<{ kept: number; bytes: number }>(
      'select count(*)::int as kept, coalesce(sum(bytes), 0)::float8 as bytes from frames',
    );
    return { kept, bytes, quotaBytes, full: bytes >= quotaBytes };
  }

  #readBytes(): Promise<DayBytes[]> {
    return this.#parts.database.many<DayBytes & Record<string, unknown>>(
      `select to_char(day, 'YYYY-MM-DD') as day, sum(fetched)::float8 as fetched, sum(sent)::float8 as sent,
         sum(stored)::float8 as stored
       from (
         select day, bytes_fetched as fetched, bytes_sent as sent, bytes_stored as stored from daily_totals
         union all
         select (at at time zone 'UTC')::date, bytes_fetched, bytes_sent, bytes_stored from intake_log
       ) days group by day order by day desc limit 14`,
    );
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

function agentNumbers(agent: AgentInfo): AgentNumbers {
  const { id, name, state, capacity, rate, cameras, late, modelVersion, lastSeenAt } = agent;
  const { outboxBatches, refusedBatches, picturesDropped } = agent;
  const reports = { outboxBatches, refusedBatches, picturesDropped };
  return { id, name, state, capacity, rate, cameras, late, ...reports, modelVersion, lastSeenAt };
}

/** For Prometheus, all from one reading. */
export function statusMetrics(status: StatusReader): MetricSource[] {
  const number = (name: string, help: string, pick: (status: FleetStatus) => number): MetricSource => ({
    name,
    help,
    read: async () => pick(await status.recent()),
  });
  const byLabel = (
    name: string,
    help: string,
    label: string,
    pick: (status: FleetStatus) => Record<string, number>,
  ): MetricSource => ({ name, help, label, read: async () => pick(await status.recent()) });
  return [
    byLabel('cameras', 'Cameras by lifecycle.', 'lifecycle', ({ cameras }) => cameras.byLifecycle),
    byLabel('cameras_by_verdict', 'Active cameras by newest verdict.', 'verdict', ({ cameras }) => cameras.byVerdict),
    number('cameras_slower', 'Cameras slower than asked, because capacity is short.', ({ cameras }) => cameras.slower),
    byLabel('agents', 'Agents by state.', 'state', ({ agents }) => tally(agents.map(({ state }) => state))),
    number('outbox_batches', 'Batches that wait with agents.', ({ agents }) =>
      sum(agents.map(({ outboxBatches }) => outboxBatches)),
    ),
    number('refused_batches', 'Batches that intake refused for good, with agents.', ({ agents }) =>
      sum(agents.map(({ refusedBatches }) => refusedBatches)),
    ),
    number('pictures_dropped', 'Pictures dropped by the agents that run.', ({ agents }) =>
      sum(agents.map(({ picturesDropped }) => picturesDropped)),
    ),
    number('shards', 'Shards.', ({ shards }) => shards.total),
    number('shards_held', 'Shards that an agent holds.', ({ shards }) => shards.held),
    number('attempts_asked_per_second', 'What the cameras ask for.', ({ load }) => load.asked),
    number('attempts_capacity_per_second', 'What the agents can take.', ({ load }) => load.capacity),
    number('attempts_per_second', 'What the agents do.', ({ load }) => load.rate),
    number(
      'stretch_factor',
      'Common factor of the intervals; 1 where capacity is enough.',
      ({ stretch }) => stretch.factor,
    ),
    number('frames_kept_bytes', 'Bytes of kept frames.', ({ frames }) => frames.bytes),
    number('frames_quota_bytes', 'Room for kept frames.', ({ frames }) => frames.quotaBytes),
  ];
}

function tally(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

const query = z.object({ since: z.coerce.number().min(0).optional() });

/** GET /api/v1/status. */
export function statusRoutes(status: StatusReader): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/status',
      {
        config: { role: 'viewer' },
        schema: {
          tags: ['status'],
          summary: 'The fleet in numbers; totals of 24 h, or since an instant (ms)',
          querystring: query,
        },
      },
      ({ query: { since } }) => (since === undefined ? status.recent() : status.since(since)),
    );
  };
}
