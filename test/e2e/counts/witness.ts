import type { Farm } from '../../../scripts/camera-farm/farm.ts';
import type { Database } from '../../../coordinator/platform/database/database.ts';
import type { Counted, CountedAttempt, Holding, Reported } from './assert-counts.ts';
import type { Line } from './proxy.ts';

const ATTEMPTS = `
  select w.session_id as session, w.camera_id as "cameraId", c.source_camera_id as camera, w.sequence, w.token, w.frame as "isFrame", w.serial
  from counted_attempts w join cameras c on c.id = w.camera_id`;

const HOLDINGS = `
  select session, "cameraId", token, extract(epoch from begins) * 1000 as "from", extract(epoch from ends) * 1000 as until from (
    select g.session_id as session, m.camera_id as "cameraId", g.token, greatest(g.from_at, m.from_at) as begins,
      least(g.until_at, m.until_at) as ends
    from grants g join memberships m on m.shard_id = g.shard_id) as holding
  where ends is null or begins < ends`;

/** What the coordinator counted, who held what, and what went over the agents' lines. */
export async function readCounted(database: Database, lines: readonly Line[]): Promise<Counted> {
  const attempts = await database.many<CountedAttempt & Record<string, unknown>>(ATTEMPTS);
  const holdings = await database.many<Holding & Record<string, unknown>>(HOLDINGS);
  const reported = new Map<string, Reported>();
  for (const { batch } of lines.flatMap(({ batches }) => batches)) {
    const { lastAt, clockErrorMs } = reported.get(batch.session) ?? { lastAt: 0, clockErrorMs: 0 };
    reported.set(batch.session, {
      lastAt: batch.fragments.reduce((newest, { at }) => Math.max(newest, ...at), lastAt),
      clockErrorMs: Math.max(clockErrorMs, batch.clockErrorMs),
    });
  }
  return { attempts, holdings, reported };
}

/** A key that forbids two equal rows would hide what is counted twice. */
export async function witnessKeys(database: Database): Promise<string[]> {
  const rows = await database.many<{ name: string }>(
    `select indexrelid::regclass::text as name from pg_index where indrelid = 'counted_attempts'::regclass and indisunique`,
  );
  return rows.map(({ name }) => name);
}

/** Attempts in spans: the product's own sum, to be compared with the witness. */
export async function attemptsInSpans(database: Database): Promise<number> {
  const { total } = await database.one<{ total: number }>(
    `select (select coalesce(sum(attempts), 0) from observations)::int + (select coalesce(sum(attempts), 0) from open_spans)::int as total`,
  );
  return total;
}

/** When a camera last gave something to a request of this session, ms of this machine's clock. */
export const lastAskedBy = (farm: Pick<Farm, 'requests'>, session: string): number =>
  farm.requests.reduce((last, { attempt, at }) => (attempt?.startsWith(`${session}/`) ? Math.max(last, at) : last), 0);

/** By how much the agent's batches date an answer of a snapshot camera wrong that was given since `from`, at most, ms. */
export function datingErrorMs(
  farm: Pick<Farm, 'requests'>,
  { line, session }: { line: Line; session: string },
  from: number,
): number {
  // The parts of a stream share the number of the request that opened it.
  const pictures = farm.requests.filter(({ at, serial }) => at >= from && serial === undefined);
  const given = new Map(pictures.map(({ attempt, at }) => [attempt, at]));
  let worst = 0;
  for (const { batch } of line.batches.filter((one) => one.batch.session === session))
    for (const { cameraId, firstSequence, at } of batch.fragments)
      at.forEach((reported, index) => {
        const truly = given.get(`${session}/${cameraId}/${firstSequence + index}`);
        if (truly !== undefined) worst = Math.max(worst, Math.abs(reported - truly));
      });
  return worst;
}
