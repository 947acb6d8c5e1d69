import { randomUUID } from 'node:crypto';
import type { Fragment } from '../../../common/domain/fragment.ts';
import { OUTCOME } from '../../../common/domain/fragment.ts';
import type { Batch } from '../../../common/protocol/rest.ts';
import { sha256 } from '../../../common/storage/digest.ts';
import { lockWindows, membershipsOf } from '../../../coordinator/fleet/window.ts';
import type { Database } from '../../../coordinator/platform/database/database.ts';
import type { Intake, Sender } from '../../../coordinator/results/intake.ts';
import { StatusReader } from '../../../coordinator/status.ts';
import type { StatusParts } from '../../../coordinator/status.ts';
import type { WindowService } from '../../../coordinator/results/window.ts';

export const fleetWindow: WindowService = { lockWindows, membershipsOf };

export interface Holder extends Sender {
  shardId: number;
  token: number;
}

/** An agent with a session and a grant of a shard with these cameras; instants in ms. */
export async function createHolder(
  database: Database,
  { cameras, from, until, sender }: { cameras: number[]; from: number; until?: number; sender?: Sender },
): Promise<Holder> {
  const { agentId, sessionId } = sender ?? { agentId: randomUUID(), sessionId: randomUUID() };
  await database.query(
    `insert into agents (id, name, public_key) values ($1::uuid, 'a', $1::text) on conflict (id) do nothing`,
    [agentId],
  );
  await database.query(
    `insert into agent_sessions (id, agent_id, superseded_at) values ($1, $2, now()) on conflict (id) do nothing`,
    [sessionId, agentId],
  );
  const shard = await database.one<{ id: number }>('insert into shards default values returning id');
  const { token } = await database.one<{ token: number }>(
    `insert into grants (shard_id, agent_id, session_id, offer_id, from_at, until_at, acknowledged_revision)
     values ($1, $2, $3, gen_random_uuid(), instant_of_ms($4), instant_of_ms($5), 1) returning token`,
    [shard.id, agentId, sessionId, from, until ?? null],
  );
  for (const camera of cameras) await addMembership(database, { camera, shardId: shard.id, from });
  return { agentId, sessionId, shardId: shard.id, token };
}

export async function addMembership(
  database: Database,
  { camera, shardId, from, until }: { camera: number; shardId: number; from: number; until?: number },
): Promise<void> {
  await database.query(
    `insert into memberships (camera_id, shard_id, host, from_at, until_at)
     values ($1, $2, 'h', instant_of_ms($3), instant_of_ms($4))`,
    [camera, shardId, from, until ?? null],
  );
}

export function fragmentOf(
  cameraId: number,
  { token }: { token: number },
  at: number[],
  more: Partial<Fragment> = {},
): Fragment {
  return {
    ...{ cameraId, token, verdict: 'good', label: null, modelVersion: null, firstSequence: 0, at },
    outcomes: at.map(() => OUTCOME.frame),
    bytes: 1_000 * at.length,
    evidence: { mean: 100 },
    frameDigest: null,
    scores: null,
    memory: { lastAttemptAt: at.at(-1) as number },
    ...more,
  };
}

export function bytesOf(session: string, seq: number, fragments: Fragment[], clockErrorMs = 5): Buffer {
  const batch: Batch = { session, seq, clockErrorMs, fragments };
  return Buffer.from(JSON.stringify(batch));
}

/** Sends the holder's batch as its agent would. */
export const send = (intake: Intake, sender: Sender, seq: number, fragments: Fragment[], clockErrorMs?: number) => {
  const bytes = bytesOf(sender.sessionId, seq, fragments, clockErrorMs);
  return intake.accept(sender, bytes, sha256(bytes));
};

/** Attempts, frames and spans of a camera over all its spans, open and closed. */
export const totalsOf = (database: Database, camera: number) =>
  database.one<{ attempts: number; frames: number; spans: number; bytes: number }>(
    `select coalesce(sum(attempts), 0) as attempts, coalesce(sum(frames), 0) as frames, count(*) as spans,
       coalesce(sum(bytes), 0) as bytes
     from (select attempts, frames, bytes from open_spans where camera_id = $1
       union all select attempts, frames, bytes from observations where camera_id = $1) s`,
    [camera],
  );

/** Reads anew at the first question. Rooms that a test does not need have nothing to tell. */
export const statusOf = (database: Database, parts: Partial<StatusParts> = {}): StatusReader =>
  new StatusReader({
    database,
    fleet: () =>
      Promise.resolve({
        ...{ agents: [], stretch: { factor: 1, belowPriority: 0 }, slowed: 0, unassigned: 0 },
        ...{ shards: 0, demand: 0, capacity: 0, advice: null },
      }),
    health: () => Promise.resolve({ states: {}, openIncidents: 0, causes: [], suspects: [], revision: '' }),
    model: () => Promise.resolve(null),
    frames: { quotaBytes: 1 },
    ...parts,
  });
