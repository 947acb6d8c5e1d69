import type { Assignment, HostBudget, HostNews, HostRest, Stretch } from '../../common/protocol/agent-link.ts';
import type { CameraMemory, Scores } from '../../common/domain/fragment.ts';
import type { Takedown } from '../../common/domain/takedown.ts';
import type { UndatedFragment } from '../report/fragments.ts';

/** What main thread and capture workers say to each other. Bytes of pictures stay in the worker unless somebody asks. */
export interface WorkerSettings {
  session: string;
  attemptHeader: boolean;
  egressAllow: string[];
  userAgent: string;
  timeoutMs: number;
  maxBytes: number;
  maxPixels: number;
  gate: { threshold: number; maxAgeMs: number; auditShare: number };
  /** Attempts under way at once in one worker. */
  concurrency: number;
  /** Bytes of pictures that one worker remembers. */
  pictureBytes: number;
  fileRoots: string[];
  /** DNS servers, `address` or `address:port`; absent: those of the machine. */
  dnsServers?: string[];
  /** The operator's ffmpeg; else the one of ffmpeg-static or the PATH. */
  ffmpeg?: string | null;
}

export interface CameraStart {
  shardId: number;
  token: number;
  assignment: Assignment;
  memory: CameraMemory | null;
  /** Sequence number of the first attempt: numbers of a (session, camera) are never used twice. */
  sequence: number;
}

export interface CameraStopped {
  cameraId: number;
  sequence: number;
  memory: CameraMemory | null;
}

export type ToWorker =
  | { type: 'start'; cameras: CameraStart[] }
  | { type: 'stop'; cameraIds: number[] }
  /** Budgets of hosts, and hosts that this agent has no part of any more. */
  | { type: 'hosts'; hosts: HostBudget[]; gone?: string[] }
  | { type: 'rests'; rests: HostRest[] }
  | { type: 'takedowns'; takedowns: Takedown[] }
  | { type: 'placeholders'; hashes: string[] }
  | { type: 'stretch'; stretch: Stretch }
  /** What to add to the monotonic clock for the coordinator's time, ms. */
  | { type: 'time'; offset: number }
  | { type: 'model'; version: string | null }
  | { type: 'watch'; cameraIds: number[]; seconds: number }
  | { type: 'capture'; cameraIds: number[] }
  | { type: 'collect'; id: number }
  | { type: 'picture'; id: number; digest: string }
  | { type: 'classified'; id: number; result: { modelVersion: string; scores: Scores } | null }
  | { type: 'close' };

export type FromWorker =
  | { type: 'stopped'; camera: CameraStopped }
  /** `late`: cameras that were late by more than half their interval since the last time; `busy`: share of it that the thread worked, 0 to 1. */
  | { type: 'collected'; id: number; fragments: UndatedFragment[]; late: number; busy: number; hosts: HostNews }
  | { type: 'picture'; id: number; bytes: Uint8Array | null }
  | { type: 'classify'; id: number; bytes: Uint8Array }
  | { type: 'latest'; cameraId: number; digest: string; bytes: Uint8Array };
