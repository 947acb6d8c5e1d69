import type { HealthSummary } from './health.ts';

/** GET /api/v1/status, and what every page is pushed: the fleet in numbers, whatever its size. Instants are ms. */
export interface FleetStatus {
  cameras: CameraNumbers;
  health: HealthSummary;
  agents: AgentNumbers[];
  shards: { total: number; held: number };
  /** Attempts a second: what the cameras ask for and what the connected agents can take. */
  load: { asked: number; capacity: number; rate: number };
  stretch: { factor: number; belowPriority: number };
  /** What to add where capacity is short, in words; `null` where nothing is. */
  advice: string | null;
  totals: Totals;
  /** Newest day first, UTC. */
  bytes: DayBytes[];
  /** Room for kept frames, bytes. `full` where nothing may go any more: capture goes on, nothing new is kept. */
  frames: { kept: number; bytes: number; quotaBytes: number; full: boolean };
  model: { version: string; name: string } | null;
}

export interface CameraNumbers {
  total: number;
  byLifecycle: Record<string, number>;
  /** Active ones that agents can fetch, and how many of them were tried (ever, or since the instant asked for). */
  capturable: number;
  attempted: number;
  /** By the verdict of the newest attempt. */
  byVerdict: Record<string, number>;
  /** Slower than asked, because capacity is short. */
  slower: number;
}

export interface AgentNumbers {
  id: string;
  name: string;
  state: 'online' | 'draining' | 'cordoned' | 'offline' | 'revoked';
  /** Attempts a second. */
  capacity: number;
  rate: number;
  cameras: number;
  late: number;
  outboxBatches: number;
  /** Batches that intake refused for good (they lie in the agent's outbox/refused/), pictures dropped since the agent began. */
  refusedBatches: number;
  picturesDropped: number;
  modelVersion: string | null;
  lastSeenAt: number | null;
}

/** Of spans that began in the last 24 hours, or since the instant that was asked for. */
export interface Totals {
  attempts: number;
  frames: number;
  unchanged: number;
  classified: number;
  gated: number;
  audited: number;
  spans: number;
  verdicts: Record<string, number>;
}

export interface DayBytes {
  /** YYYY-MM-DD. */
  day: string;
  /** From cameras; reported to the coordinator; kept as frames. */
  fetched: number;
  sent: number;
  stored: number;
}
