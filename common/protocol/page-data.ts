import type { Verdict } from '../domain/verdict.ts';
import type { ProbeItem, Stretch } from './agent-link.ts';

/** The one aggregate that all pages and `camfleet status` show. Instants are ms since the epoch. */
export interface FleetStatus {
  now: number;
  version: string;
  cameras: {
    active: number;
    paused: number;
    /** Active cameras by the verdict of their newest attempt. */
    byVerdict: Partial<Record<Verdict, number>>;
    /** Active cameras that were not tried yet. */
    untried: number;
    /** Active cameras by the label in force, the most frequent first, at most 12. */
    byLabel: { label: string; cameras: number }[];
  };
  rate: { attemptsPerSecond: number; framesPerSecond: number };
  agents: AgentStatus[];
  capacity: {
    /** Attempts a second. */
    offered: number;
    asked: number;
    stretch: Stretch;
    /** Cameras that are fetched less often than asked. */
    slower: number;
    /** Cameras that no agent holds. */
    unassigned: number;
    /** What to add, in words; `null` where there is enough. */
    advice: string | null;
  };
  /** The newest day last; bytes. */
  days: { day: string; fetched: number; received: number; stored: number }[];
  frames: { kept: number; bytes: number; quotaBytes: number; full: boolean };
  model: {
    version: string;
    name: string;
    since: number;
    metrics: Record<string, number>;
    agentsActive: number;
    agentsRefused: number;
  } | null;
}

export interface AgentStatus {
  id: string;
  name: string;
  state: 'online' | 'draining' | 'cordoned' | 'offline' | 'revoked';
  /** Attempts a second: what it can take, and what it does. */
  capacity: number;
  rate: number;
  cameras: number;
  late: number;
  lastSeenAt: number | null;
  modelVersion: string | null;
  outboxBatches: number;
  version: string;
  probe: ProbeItem[];
}

/** What changes in a camera's row; the rest of the row comes with the list. */
export interface CameraRow {
  id: number;
  verdict: Verdict | null;
  label: string | null;
  score: number | null;
  /** Since when verdict and label are what they are. */
  since: number | null;
  lastAttemptAt: number | null;
  lastGoodAt: number | null;
  /** Newest picture that was kept, and when it was fetched. */
  frameDigest: string | null;
  frameAt: number | null;
  agent: string | null;
  evidence: Record<string, number | string | boolean>;
}
