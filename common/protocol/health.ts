import type { CameraState } from '../domain/health.ts';
import type { Evidence, Verdict } from '../domain/verdict.ts';

/** What every page is pushed: as long as there are states, causes and suspects, however many cameras. Instants are ms. */
export interface HealthSummary {
  states: Partial<Record<CameraState, number>>;
  openIncidents: number;
  /** Open incidents by state and verdict, those with most cameras first. */
  causes: IncidentCause[];
  suspects: SuspectedAgent[];
  /** Another one when the open incidents are others: then their list is worth asking for again. */
  revision: string;
}

export interface IncidentCause {
  state: CameraState;
  verdict: Verdict;
  incidents: number;
  cameras: number;
  /** Of the oldest one. */
  since: number;
}

/** An agent whose cameras fail together: it is asked first what is wrong, not they. */
export interface SuspectedAgent {
  id: string;
  name: string;
  since: number;
  /** Of so many cameras that worked, so many got no answer when the suspicion began. */
  tried: number;
  failing: number;
  /** In plain words: who looks, and what was found. */
  reason: string;
}

/** GET /api/v1/health. */
export interface HealthReport extends HealthSummary {
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
  /** In plain words: what it is about, and what is being done. */
  reason: string;
  doing: string;
}

/** GET /api/v1/incidents/:id. */
export interface IncidentReport extends IncidentRow {
  /** When the first of its cameras is tried again; `null` where nobody says. */
  nextTryAt: number | null;
  /** Those that are ill first, at most 500. */
  members: IncidentMember[];
}

export interface IncidentMember {
  id: number;
  name: string;
  host: string;
  joinedAt: number;
  /** `null` while it belongs to it. */
  leftAt: number | null;
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
  failuresInARow: number;
  /** Attempts by verdict since the state began. */
  tried: { verdict: Verdict; attempts: number; lastAt: number }[];
  /** Newest first; the first one has no end. */
  states: TimelineState[];
  events: { kind: 'moved' | 'scene' | 'blurred'; at: number }[];
  /** Give it as `before` for older states. */
  next: number | null;
}

export interface TimelineState {
  id: number;
  state: CameraState;
  from: number;
  until: number | null;
  verdict: Verdict | null;
  /** The newest picture that was kept of this time. */
  frameDigest: string | null;
}

/** GET /api/v1/placeholders: a picture that several cameras of a host show in the place of their own. */
export interface LearnedCard {
  /** Perceptual, hex. */
  hash: string;
  host: string;
  /** The most that ever showed it at once. */
  cameras: number;
  /** `null` while it is only a candidate. */
  learnedAt: number | null;
  /** An operator said that it is none. */
  dismissed: boolean;
}
