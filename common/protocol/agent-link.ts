import { z } from 'zod';
import { cameraIdSchema, credentialsSchema, placeSchema, prioritySchema } from '../domain/camera.ts';
import { cameraMemorySchema } from '../domain/fragment.ts';
import type { Takedown } from '../domain/takedown.ts';
import type { Result } from '../runtime/result.ts';
import { protocolRangeSchema } from './version.ts';

/**
 * What agents and coordinator say to each other on the socket (namespace `/agents`). Control only: everything bulky goes over
 * HTTP (rest.ts). Every event has one object in and one Result out; events of the coordinator are wake-ups without an answer,
 * and losing one costs time, never correctness, because each renewal tells the same.
 */
export const AGENT_NAMESPACE = '/agents';

const token = z.number().int().positive();
const shardId = z.number().int().positive();
const uuid = z.uuid();

/**
 * Handshake `auth` of every connection: the agent signs `camfleet-agent\n${nonce}\n${agentId}\n${sessionId}` with its Ed25519
 * key; the nonce comes from GET /api/v1/agent/nonce and serves once.
 */
export const handshakeSchema = z.object({
  protocol: protocolRangeSchema,
  agentId: uuid,
  sessionId: uuid,
  nonce: z.string().max(200),
  signature: z.string().max(200),
});
export type Handshake = z.infer<typeof handshakeSchema>;

export const probeItemSchema = z.object({
  name: z.string(),
  ok: z.boolean(),
  /** What was measured, in words with its unit. */
  found: z.string(),
  /** What to do about it; only where `ok` is false. */
  mend: z.string().optional(),
});
export type ProbeItem = z.infer<typeof probeItemSchema>;

export const helloSchema = z.object({
  name: z.string().min(1).max(100),
  version: z.string().max(40),
  /** Attempts a second that this agent can take, from its probe, corrected by what it measures. */
  capacity: z.number().positive(),
  place: placeSchema.optional(),
  probe: z.array(probeItemSchema).max(50),
  /** Highest fencing token this agent ever saw: a restored database starts above it. */
  highestToken: z.number().int().nonnegative(),
  /** Grants this session believes to hold (after a reconnect). */
  held: z.array(z.object({ shardId, token })).max(10_000),
});
export type Hello = z.infer<typeof helloSchema>;

/** Coordinator time: `now` is the database's clock_timestamp() in ms. */
export interface Welcome {
  now: number;
  /** Bearer key of this session for the HTTP side; replaces any earlier one. */
  sessionKey: string;
  ttlMs: number;
  renewMs: number;
  autonomyMs: number;
  reportMs: number;
  /** Version of the model that this agent should run, `null` where there is none. */
  modelVersion: string | null;
  /** What must not be fetched any more, and the list's number. */
  takedowns?: TakedownAnswer;
}

/** Perceptual hashes of pictures that hosts show in the place of their cameras', and the list's number. */
export interface PlaceholderAnswer {
  revision: number;
  hashes: string[];
}

export interface TakedownAnswer {
  revision: number;
  takedowns: Takedown[];
}

/**
 * How long a host is left alone. `asked`: it said so (429, 503, Retry-After). `failing`: many of its cameras failed; then one of
 * them is tried. Instants are ms of the database's clock.
 */
export const hostRestSchema = z.object({
  host: z.string().min(1).max(255),
  kind: z.enum(['asked', 'failing']),
  until: z.number(),
});
export type HostRest = z.infer<typeof hostRestSchema>;

/** What an agent found out about hosts since its last renewal that was answered. */
export const hostNewsSchema = z.object({
  /** `until` in the past: it answers again. */
  rests: z.array(hostRestSchema).max(500),
  /** What names resolve to, where that is new. */
  addresses: z
    .array(z.object({ host: z.string().min(1).max(255), addresses: z.array(z.string().max(45)).max(16) }))
    .max(500),
});
export type HostNews = z.infer<typeof hostNewsSchema>;

export const renewSchema = z.object({
  grants: z.array(z.object({ shardId, token, revision: z.number().int() })).max(10_000),
  capacity: z.number().positive(),
  /** Attempts a second over the last period, and how many cameras were late by more than half their interval. */
  rate: z.number().nonnegative(),
  late: z.number().int().nonnegative(),
  modelVersion: z.string().nullable(),
  outboxBatches: z.number().int().nonnegative(),
  /** Batches in `outbox/refused/`, and pictures that were dropped since the agent began; absent from agents that do not say. */
  refusedBatches: z.number().int().nonnegative().optional(),
  picturesDropped: z.number().int().nonnegative().optional(),
  draining: z.boolean(),
  hosts: hostNewsSchema.optional(),
});
export type Renew = z.infer<typeof renewSchema>;

export type GrantState =
  | { shardId: number; token: number; state: 'held'; revision: number }
  | { shardId: number; token: number; state: 'taken' | 'revoked' | 'superseded' | 'unknown' };

export interface RenewAnswer {
  now: number;
  /** How long the renewal waited for others before the clock was read, ms: that much of the round trip dates nothing. */
  waitedMs: number;
  grants: GrantState[];
  /** One factor for all intervals of cameras with a priority below `belowPriority`; 1 where capacity is enough. */
  stretch: Stretch;
  modelVersion: string | null;
  /** Shards wait for this agent: ask for work. */
  workAvailable: boolean;
  /** Of hosts of its cameras, what other agents found lately. */
  rests?: HostRest[];
  /** Number of the list of take-downs: another one than known means that it must be fetched. */
  takedownRevision?: number;
  /** Number of the list of placeholder pictures, in the same way. */
  placeholderRevision?: number;
}

export interface Stretch {
  factor: number;
  belowPriority: number;
}

/** What a holder needs to know of a camera. */
export const assignmentSchema = z.object({
  cameraId: cameraIdSchema,
  name: z.string(),
  source: z.object({
    transport: z.enum(['snapshot', 'mjpeg', 'file', 'hls', 'rtsp', 'rtmp']),
    url: z.string(),
    credentials: credentialsSchema.optional(),
  }),
  /** What politeness counts by: the host's name without the port, or the name of another host at the same address. */
  host: z.string(),
  intervalMs: z.number().int().positive(),
  /** The operator wants exactly this interval, even where the camera makes pictures less often. */
  exactly: z.boolean().optional(),
  /** When it is captured: a table of hours (active-hours.ts) and its IANA time zone; absent: always. */
  hours: z.object({ text: z.string().max(200), zone: z.string().max(60) }).optional(),
  priority: prioritySchema,
  /** When an operator changed it last, ms of the database's clock: what failed before that is worth another try. */
  changedAt: z.number().optional(),
  memory: cameraMemorySchema.nullable(),
});
export type Assignment = z.infer<typeof assignmentSchema>;

/** This shard's part of what may be asked of a host. */
export interface HostBudget {
  host: string;
  concurrency: number;
  minDelayMs: number;
  /** It is to be left alone now. */
  rest?: Omit<HostRest, 'host'>;
}

export interface Offer {
  offerId: string;
  shardId: number;
  cameras: number;
  /** Attempts a second, unstretched. */
  load: number;
}

export interface Grant {
  shardId: number;
  token: number;
  revision: number;
  /** Begin of the grant, ms of the database's clock. */
  from: number;
  cameras: Assignment[];
  hosts: HostBudget[];
}

/** What changed in a shard since a revision. `add` begins to count when the holder has acknowledged `revision`. */
export interface ShardDelta {
  shardId: number;
  token: number;
  revision: number;
  upsert: Assignment[];
  remove: number[];
  hosts: HostBudget[];
}

const shardAndToken = z.object({ shardId, token });
export const acceptSchema = z.object({ offerId: z.string().max(100), shardId });
export const syncSchema = shardAndToken.extend({ revision: z.number().int().nonnegative() });
export const acknowledgeSchema = syncSchema;
export const releaseSchema = z.object({ shards: z.array(shardAndToken).max(10_000), reason: z.string().max(200) });
export const modelReportSchema = z.object({
  version: z.string().max(80),
  state: z.enum(['fetched', 'proved', 'active', 'refused']),
  reason: z.string().max(500).optional(),
});
export type ModelReport = z.infer<typeof modelReportSchema>;

type Ack<T> = (result: Result<T>) => void;
type Empty = Record<string, never>;

export interface AgentToCoordinator {
  'agent:hello': (hello: Hello, ack: Ack<Welcome>) => void;
  'agent:drain': (request: Empty, ack: Ack<{ successors: boolean }>) => void;
  'lease:renew': (renew: Renew, ack: Ack<RenewAnswer>) => void;
  'work:request': (request: Empty, ack: Ack<{ offers: Offer[] }>) => void;
  'work:accept': (accept: z.infer<typeof acceptSchema>, ack: Ack<Grant>) => void;
  'work:release': (release: z.infer<typeof releaseSchema>, ack: Ack<Empty>) => void;
  'shard:sync': (sync: z.infer<typeof syncSchema>, ack: Ack<ShardDelta>) => void;
  'shard:acknowledge': (acknowledge: z.infer<typeof acknowledgeSchema>, ack: Ack<Empty>) => void;
  'model:report': (report: ModelReport, ack: Ack<Empty>) => void;
  'takedown:list': (request: Empty, ack: Ack<TakedownAnswer>) => void;
  'placeholder:list': (request: Empty, ack: Ack<PlaceholderAnswer>) => void;
}

export interface CoordinatorToAgent {
  'work:available': (hint: Empty) => void;
  'shard:changed': (hint: { shardId: number; revision: number }) => void;
  'lease:lost': (hint: { shardId: number; token: number; reason: 'taken' | 'revoked' }) => void;
  'session:superseded': (hint: { reason: string }) => void;
  'model:available': (hint: { version: string | null }) => void;
  /** The list of take-downs changed: fetch it. */
  'takedown:changed': (hint: { revision: number }) => void;
  /** Somebody looks at these cameras: send their newest pictures as they come, for so many seconds. */
  'camera:watch': (hint: { cameraIds: number[]; seconds: number }) => void;
  /** Somebody wants a fresh picture of these cameras: give them their turn now, as politeness allows. */
  'camera:capture': (hint: { cameraIds: number[] }) => void;
}
