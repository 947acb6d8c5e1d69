import type { Place } from '../../common/domain/camera.ts';
import type { CameraMemory } from '../../common/domain/fragment.ts';
import type {
  Assignment,
  CoordinatorToAgent,
  ModelReport,
  PlaceholderAnswer,
  TakedownAnswer,
} from '../../common/protocol/agent-link.ts';
import type { RenewalFacts } from '../../common/protocol/lease-rules.ts';
import type { Logger } from '../../common/runtime/logger.ts';
import type { Database } from '../platform/database/database.ts';
import type { Queryable } from '../platform/database/queries.ts';

/** One run of an agent's process, as proved by its handshake. */
export interface AgentSession {
  agentId: string;
  sessionId: string;
}

/** What the planner needs to know of a camera that is to be captured. */
export interface PlannableCamera {
  id: number;
  /** Name without the port. */
  host: string;
  place: Place | null;
  intervalMs: number;
  /** 0 (stretched first) to 9 (stretched last). */
  priority: number;
}

export interface PlannableAgent {
  id: string;
  /** Attempts a second. */
  capacity: number;
  place: Place | null;
  /** May go on with the shards that it has (false: offline, draining, revoked). */
  keeps: boolean;
  /** May get shards (false also: cordoned, handed shards back, does not accept). */
  takes: boolean;
}

export interface FleetSettings {
  ttlMs: number;
  renewMs: number;
  autonomyMs: number;
  /** How long agents collect before they report. */
  reportMs: number;
  /** An offer that is not accepted within this time lapses. */
  offerMs: number;
  planner: { intervalSeconds: number };
  /** What may be asked of one host by the whole fleet. */
  hosts: { concurrency: number; minDelayMs: number };
}

export const DEFAULT_FLEET_SETTINGS: FleetSettings = {
  ttlMs: 15_000,
  // A third of the TTL: two renewals may be lost before the lease is.
  renewMs: 5_000,
  autonomyMs: 3_600_000,
  reportMs: 5_000,
  offerMs: 3_000,
  planner: { intervalSeconds: 10 },
  hosts: { concurrency: 4, minDelayMs: 50 },
};

export type Notify = <E extends keyof CoordinatorToAgent>(
  agentId: string,
  event: E,
  payload: Parameters<CoordinatorToAgent[E]>[0],
) => void;

export interface FleetDeps {
  database: Database;
  logger: Logger;
  settings: FleetSettings;
  /** SPKI PEM; agents verify models by it. */
  coordinatorKey: string;
  /** All cameras that are to be captured (active ones, nothing else). */
  plannableCameras(): Promise<PlannableCamera[]>;
  /** In any order; leaves out cameras that are not to be captured. */
  assignmentsOf(cameraIds: number[]): Promise<Omit<Assignment, 'memory'>[]>;
  /** Which of these names are hosts of cameras. */
  hostsAmong(names: readonly string[]): Promise<string[]>;
  memoriesOf(cameraIds: number[]): Promise<Map<number, CameraMemory>>;
  /** What must not be fetched any more. */
  takedowns(): Promise<TakedownAnswer>;
  placeholders(): Promise<PlaceholderAnswer>;
  /** A wake-up for a connected agent; does nothing where it is not connected. Never throws. */
  notify: Notify;
  /** Tells this session's socket, and only this one, `session:superseded` and closes it. */
  closeSession(sessionId: string, reason: string): void;
  /** The version that agents should run, `null` where there is none. */
  modelVersion(): string | null;
  modelReported(session: AgentSession, report: ModelReport): Promise<void>;
}

/** What the parts of this room have of each other beside what the room is given. */
export interface FleetContext extends FleetDeps {
  /** Any coordinator may ask; the one that plans sees it within half a second. */
  requestPlan(): Promise<void>;
}

/** Reads the database's clock and what decides about silence. To be read after the row locks. */
export async function readFacts(tx: Queryable, ttlMs: number): Promise<RenewalFacts> {
  const row = await tx.one<{ now: number; aliveAt: number; renewalsWorkSince: number }>(
    `select extract(epoch from clock_timestamp()) * 1000 as now, extract(epoch from alive_at) * 1000 as "aliveAt",
       extract(epoch from renewals_work_since) * 1000 as "renewalsWorkSince" from fleet_settings`,
  );
  return { ...row, ttlMs };
}

/** The boundary to write, just after the locks that the caller holds. */
export async function readInstant(tx: Queryable): Promise<Date> {
  return (await tx.one<{ at: Date }>('select fleet_instant() as at')).at;
}
