import type { CameraMemory } from '../../common/domain/fragment.ts';
import type { Verdict } from '../../common/domain/verdict.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Database } from '../platform/database/database.ts';
import { readList } from './bulk.ts';
import { SPAN_COLUMNS } from './span-repository.ts';
import type { StoredSpan } from './span-repository.ts';
import { readMemories, readStates } from './state-repository.ts';
import type { CameraState } from './state-repository.ts';

export interface DayTotals {
  /** "2026-11-24", UTC. */
  day: string;
  attempts: number;
  frames: number;
  bytesFetched: number;
  /** From agents to the coordinator. */
  bytesSent: number;
  /** Pictures kept. */
  bytesStored: number;
}

export interface FleetTotals {
  /** Over the last minute, by arrival. */
  framesPerSecond: number;
  attemptsPerSecond: number;
  /** Cameras by their newest verdict. */
  cameras: Partial<Record<Verdict, number>>;
  /** Newest first, at most 30. */
  days: DayTotals[];
}

/** What `quickstart --json` prints. */
export interface RunTotals {
  attempts: number;
  frames: number;
  /** Attempts by verdict. */
  verdicts: Partial<Record<Verdict, number>>;
  spans: number;
  classified: number;
  gated: number;
}

/** Where the next page of spans begins: the last span of the page before. */
export interface SpanPosition {
  firstAt: number;
  id: number;
}

/** The page asks as often as it likes; the tables are asked once a second. */
const FRESH_MS = 1_000;
const ALL_SPANS = `(select * from open_spans union all select * from observations)`;

/** What page and API ask about results. */
export class ResultQueries {
  readonly #database: Database;
  readonly #clock: Clock;
  #fleet: { until: number; totals: Promise<FleetTotals> } | undefined;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** At most a second old. */
  fleetTotals(): Promise<FleetTotals> {
    const now = this.#clock.monotonic();
    if (this.#fleet && now < this.#fleet.until) return this.#fleet.totals;
    const totals = this.#readFleet();
    this.#fleet = { until: now + FRESH_MS, totals };
    totals.catch(() => (this.#fleet = undefined));
    return totals;
  }

  /** Cameras that were never tried have no row. */
  statesOf(cameraIds: number[]): Promise<CameraState[]> {
    return readStates(this.#database, cameraIds);
  }

  memoriesOf(cameraIds: number[]): Promise<Map<number, CameraMemory>> {
    return readMemories(this.#database, cameraIds);
  }

  /** Spans of a camera, open ones included, the latest beginning first. */
  async spansOf(cameraId: number, page: { limit?: number; before?: SpanPosition } = {}): Promise<StoredSpan[]> {
    const { limit = 50, before } = page;
    return this.#database.many<StoredSpan & Record<string, unknown>>(
      `select ${readList(SPAN_COLUMNS)} from ${ALL_SPANS} s
       where camera_id = $1 and ($2::float8 is null or (first_at, id) < (instant_of_ms($2), $3::bigint))
       order by s.first_at desc, s.id desc limit $4`,
      [cameraId, before?.firstAt ?? null, before?.id ?? null, limit],
    );
  }

  /** Over everything that is stored: for small databases, as a single run makes. */
  async runTotals(): Promise<RunTotals> {
    const rows = await this.#database.many<Omit<RunTotals, 'verdicts'> & { verdict: Verdict; attempts: number }>(
      `select verdict, sum(attempts) as attempts, sum(frames) as frames, count(*) as spans,
         sum(classified) as classified, sum(gated) as gated
       from ${ALL_SPANS} s group by verdict`,
    );
    const sum = (of: 'attempts' | 'frames' | 'spans' | 'classified' | 'gated'): number =>
      rows.reduce((total, row) => total + row[of], 0);
    return {
      ...{ attempts: sum('attempts'), frames: sum('frames'), spans: sum('spans') },
      ...{ classified: sum('classified'), gated: sum('gated') },
      verdicts: Object.fromEntries(rows.map(({ verdict, attempts }) => [verdict, attempts])),
    };
  }

  /** Cameras that are captured no more leave the numbers; their spans and frames stay. */
  async forgetStates(cameraIds: number[]): Promise<void> {
    await this.#database.query('delete from camera_state where camera_id = any($1::bigint[])', [cameraIds]);
  }

  async #readFleet(): Promise<FleetTotals> {
    const [rate, cameras, days] = await Promise.all([
      this.#database.one<{ frames: number; attempts: number }>(
        `select coalesce(sum(frames), 0) as frames, coalesce(sum(attempts), 0) as attempts
         from intake_log where at > clock_timestamp() - interval '1 minute'`,
      ),
      this.#database.many<{ verdict: Verdict; cameras: number }>(
        'select verdict, count(*) as cameras from camera_state group by verdict',
      ),
      this.#database.many<DayTotals & Record<string, unknown>>(
        `select day, sum(attempts) as attempts, sum(frames) as frames, sum(bytes_fetched) as "bytesFetched",
           sum(bytes_sent) as "bytesSent", sum(bytes_stored) as "bytesStored"
         from (select * from daily_totals union all
           select (at at time zone 'UTC')::date, attempts, frames, bytes_fetched, bytes_sent, bytes_stored from intake_log) t
         group by day order by day desc limit 30`,
      ),
    ]);
    return {
      framesPerSecond: rate.frames / 60,
      attemptsPerSecond: rate.attempts / 60,
      cameras: Object.fromEntries(cameras.map(({ verdict, cameras }) => [verdict, cameras])),
      days,
    };
  }
}
