import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { AgentNumbers, CameraNumbers, DayBytes, FleetStatus, Totals } from '../common/protocol/status.ts';
import type { AgentInfo } from './fleet/agents.ts';
import type { Database } from './platform/database/database.ts';

export interface StatusParts {
  database: Database;
  agents(): Promise<AgentInfo[]>;
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
  #status: { at: number; value: Promise<FleetStatus> } | undefined;
  #totals: { at: number; value: Promise<Totals> } | undefined;

  constructor(parts: StatusParts) {
    this.#parts = parts;
  }

  /** Totals are those of spans that began in the last 24 hours. */
  recent(): Promise<FleetStatus> {
    this.#status = fresh(this.#status, FRESH_MS, () => {
      this.#totals = fresh(this.#totals, TOTALS_FRESH_MS, () => this.#readTotals(Date.now() - DAY_MS));
      return this.#read(this.#totals.value);
    });
    return this.#status.value;
  }

  /** Of cameras tried and spans begun at `since` (ms) or later, read anew. */
  since(since: number): Promise<FleetStatus> {
    return this.#read(this.#readTotals(since), since);
  }

  async #read(totals: Promise<Totals>, since = 0): Promise<FleetStatus> {
    const [fleet, agents, frames, bytes, model, counted] = await Promise.all([
      this.#readFleet(),
      this.#parts.agents(),
      this.#readFrames(),
      this.#readBytes(),
      this.#parts.model(),
      totals,
    ]);
    const stretch = { factor: fleet.factor, belowPriority: fleet.below };
    const cameras = await this.#readCameras(stretch, since);
    const working = agents.filter(({ state }) => state === 'online');
    const load = {
      asked: fleet.asked,
      capacity: sum(working.map(({ capacity }) => capacity)),
      rate: sum(agents.map(({ rate }) => rate)),
    };
    return {
      cameras,
      agents: agents.map(agentNumbers),
      shards: { total: fleet.shards, held: fleet.held },
      load,
      stretch,
      advice: adviceFor(load, working),
      totals: counted,
      bytes,
      frames,
      model,
    };
  }

  #readFleet(): Promise<{ shards: number; held: number; asked: number; factor: number; below: number }> {
    return this.#parts.database.one(
      `select (select count(*)::int from shards where retired_at is null) as shards,
         (select count(*)::int from grants where until_at is null) as held,
         (select coalesce(sum(1000.0 / interval_ms), 0)::float8 from cameras
          where lifecycle = 'active' and transport is not null) as asked,
         stretch_factor as factor, stretch_below as below from fleet_settings`,
    );
  }

  async #readCameras({ factor, belowPriority }: FleetStatus['stretch'], since: number): Promise<CameraNumbers> {
    const { database } = this.#parts;
    const lifecycles = await database.many<{ key: string; count: number }>(
      'select lifecycle as key, count(*)::int as count from cameras group by 1 order by 1',
    );
    const states = await database.many<{ key: string | null; count: number; slower: number }>(
      `select s.verdict as key, count(*)::int as count, count(*) filter (where c.priority < $1)::int as slower
       from cameras c left join camera_state s on s.camera_id = c.id
         and s.last_attempt_at >= to_timestamp($2::float8 / 1000)
       where c.lifecycle = 'active' and c.transport is not null group by 1 order by 1`,
      [factor > 1 ? belowPriority : 0, since],
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

function fresh<T>(
  kept: { at: number; value: Promise<T> } | undefined,
  forMs: number,
  read: () => Promise<T>,
): { at: number; value: Promise<T> } {
  if (kept && performance.now() - kept.at < forMs) return kept;
  const value = read();
  // A failure is told to whoever asked, and not kept.
  const entry = { at: performance.now(), value };
  value.catch(() => (entry.at = -Infinity));
  return entry;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

function agentNumbers(agent: AgentInfo): AgentNumbers {
  const { id, name, state, capacity, rate, cameras, late, outboxBatches, modelVersion, lastSeenAt } = agent;
  return { id, name, state, capacity, rate, cameras, late, outboxBatches, modelVersion, lastSeenAt };
}

/** What to add, in words, where the cameras ask for more than the agents can take. */
function adviceFor({ asked, capacity }: FleetStatus['load'], working: readonly AgentInfo[]): string | null {
  if (asked <= capacity) return null;
  if (working.length === 0)
    return 'No agent works: start one with "camfleet agents invite" and the line that it prints.';
  const more = Math.ceil((asked - capacity) / (capacity / working.length));
  return `The cameras ask for ${asked.toFixed(1)} attempts a second and the agents can take ${capacity.toFixed(1)}: add ${more} agent${more > 1 ? 's' : ''} like these, or ask for longer intervals.`;
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
