import type { CameraState } from '../domain/health.ts';
import type { Evidence, Verdict } from '../domain/verdict.ts';

/** GET /api/v1/health. Instants are ms. */
export interface HealthReport {
  states: Partial<Record<CameraState, number>>;
  openIncidents: number;
  /** Each list: most ill cameras first, cut at the limit that was asked for. */
  hosts: HealthGroup[];
  sources: HealthGroup[];
  /** By the agent of the newest attempt. */
  agents: HealthGroup[];
}

export interface HealthGroup {
  key: string;
  name: string;
  cameras: number;
  ill: number;
  states: Partial<Record<CameraState, number>>;
}

/** GET /api/v1/incidents. */
export interface IncidentRow {
  id: number;
  kind: 'agent' | 'source' | 'host';
  /** Id of the agent, or name of the source or host. */
  key: string;
  name: string;
  state: CameraState;
  /** Of the camera that opened it. */
  verdict: Verdict;
  openedAt: number;
  closedAt: number | null;
  /** The incident in which its cameras went on. */
  mergedInto: number | null;
  /** Cameras that are ill now, and that ever belonged to it. */
  cameras: number;
  total: number;
  /** A kept picture, and of which camera; it shows the illness itself only where `evidenceFits`. */
  evidenceDigest: string | null;
  evidenceCamera: number | null;
  evidenceFits: boolean;
  /** In plain words. */
  reason: string;
}

/** GET /api/v1/cameras/:id/timeline. */
export interface TimelineReport {
  cameraId: number;
  state: CameraState;
  since: number | null;
  reason: string;
  incidentId: number | null;
  /** Of the newest attempt. */
  verdict: Verdict | null;
  transport: 'up' | 'down' | 'unknown';
  content: 'fine' | 'bad' | 'unknown';
  evidence: Evidence;
  lastAttemptAt: number | null;
  lastGoodAt: number | null;
  agent: string | null;
  /** Not before; `null` where nobody will. */
  nextTryAt: number | null;
  /** Attempts by verdict since the state began. */
  tried: { verdict: Verdict; attempts: number; lastAt: number }[];
  /** Newest first; the first one has no end. */
  states: { id: number; state: CameraState; from: number; until: number | null; verdict: Verdict | null }[];
  events: { kind: 'moved' | 'scene' | 'blurred'; at: number }[];
  /** Give it as `before` for older states. */
  next: number | null;
}
