import type { CameraState } from '../../../common/domain/health.ts';
import type {
  HealthReport,
  HealthSummary,
  IncidentReport,
  IncidentRow,
  TimelineReport,
} from '../../../common/protocol/health.ts';
import { systemClock } from '../../../common/runtime/clock.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { KeptAnswer } from '../../../common/runtime/kept-answer.ts';
import type { Logger } from '../../../common/runtime/logger.ts';
import type { Service } from '../../../common/runtime/service.ts';
import type { Database } from '../../platform/database/database.ts';
import type { MetricSource } from '../../platform/http/metrics.ts';
import type { CameraFilter } from '../../registry/search.ts';
import { HealthPass } from './pass.ts';
import { Placeholders } from './placeholders.ts';
import { listIncidents, readIncident } from './incident-queries.ts';
import type { IncidentFilter, IncidentPage } from './incident-queries.ts';
import { readTimeline } from './queries.ts';
import type { TimelinePage } from './queries.ts';
import { countStates, readHealth, readSummary } from './report.ts';
import { SecondOpinions } from './second-opinion.ts';
import type { FleetGuard } from './second-opinion.ts';

export interface CameraHealthOptions {
  database: Database;
  logger: Logger;
  fleet: FleetGuard;
  /** Days that ended states and incidents are kept. */
  retentionDays: number;
  clock?: Clock;
}

/** Agents report every 5 s: a pass in between finds news while it is new. */
const PASS_MS = 2_000;
/** Pauses, silence and common causes are no matter of seconds. */
const UPKEEP_MS = 20_000;
const REPORT_FRESH_MS = 2_000;
/** People see a second as live. */
const SUMMARY_FRESH_MS = 900;
const LOCK = 'camfleet.health';

/** The states of all cameras, kept by one coordinator at a time, and what people ask about them. */
export class CameraHealth implements Service {
  readonly #options: CameraHealthOptions;
  /** Cards that hosts show in the place of pictures. */
  readonly placeholders: Placeholders;
  readonly #clock: Clock;
  readonly #ended = new AbortController();
  /** By the number of groups that are asked for. */
  readonly #reports = new Map<number, KeptAnswer<HealthReport>>();
  readonly #summary: KeptAnswer<HealthSummary>;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: CameraHealthOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.placeholders = new Placeholders(options.database);
    this.#summary = new KeptAnswer(() => readSummary(options.database), SUMMARY_FRESH_MS, { clock: this.#clock });
  }

  start(): Promise<void> {
    this.#running = this.#repeat(this.#ended.signal, () =>
      this.#options.database.withLock(LOCK, (held) => this.#lead(held), this.#ended.signal),
    );
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  /** At most two seconds old, in a large fleet a little more: pages ask as often as they like. */
  report(most: number): Promise<HealthReport> {
    const { database } = this.#options;
    const kept =
      this.#reports.get(most) ??
      new KeptAnswer(() => readHealth(database, most), REPORT_FRESH_MS, { clock: this.#clock });
    this.#reports.set(most, kept);
    return kept.get();
  }

  /** The same of the cameras that the filter finds, as of now. */
  reportOf(filter: CameraFilter, most: number): Promise<HealthReport> {
    return readHealth(this.#options.database, most, filter);
  }

  /** What all pages are pushed. */
  summary(): Promise<HealthSummary> {
    return this.#summary.get();
  }

  states(): Promise<Partial<Record<CameraState, number>>> {
    return countStates(this.#options.database);
  }

  incidents(filter: IncidentFilter, page: IncidentPage): Promise<{ incidents: IncidentRow[]; next: number | null }> {
    return listIncidents(this.#options.database, filter, page);
  }

  /** Rejects with `INCIDENT_NOT_FOUND`. */
  incident(id: number): Promise<IncidentReport> {
    return readIncident(this.#options.database, id);
  }

  /** Rejects with `CAMERA_NOT_FOUND`. */
  timeline(cameraId: number, page: TimelinePage): Promise<TimelineReport> {
    return readTimeline(this.#options.database, cameraId, page);
  }

  /** Forgets what ended longer ago than it is kept. */
  async prune(): Promise<void> {
    const { database, retentionDays } = this.#options;
    for (const old of OLD) await database.query(old, [retentionDays]);
  }

  async #lead(held: AbortSignal): Promise<void> {
    const pass = new HealthPass(
      this.#options.database,
      new SecondOpinions(this.#options.database, this.#options.fleet),
    );
    let tended = -Infinity;
    await this.#repeat(held, async () => {
      await pass.run();
      if (this.#clock.monotonic() - tended < UPKEEP_MS) return;
      await pass.upkeep();
      const learned = await this.placeholders.learn();
      if (learned > 0) this.#options.logger.info({ learned }, 'placeholder pictures learned');
      tended = this.#clock.monotonic();
    });
  }

  /** Goes on past failures, which are logged when they begin and when they end. */
  async #repeat(signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        await work();
        if (failures > 0) this.#options.logger.info({ failures }, 'health goes on');
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (failures++ === 0) this.#options.logger.warn({ err: error }, 'health pass failed; it tries again');
      }
      await this.#clock.sleep(PASS_MS, signal).catch(() => undefined);
    }
  }
}

/** For Prometheus. */
export const healthMetrics = (health: Pick<CameraHealth, 'states'>): MetricSource => ({
  name: 'cameras_by_state',
  help: 'Cameras by state of health.',
  label: 'state',
  read: () => health.states(),
});

const before = 'clock_timestamp() - make_interval(days => $1)';
const OLD = [
  `delete from camera_timeline where until_at < ${before}`,
  `delete from camera_events where at < ${before}`,
  `delete from incident_cameras m using incidents i where i.id = m.incident_id and i.closed_at < ${before}`,
  `update incidents set merged_into = null where merged_into in (select id from incidents where closed_at < ${before})`,
  `delete from incidents i where closed_at < ${before} and not exists (select from camera_health h where h.incident_id = i.id)`,
];
