import type { Client } from 'pg';
import type { Clock } from '../../../common/runtime/clock.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import { asDatabaseError } from './errors.ts';

/** Asked again and again instead of waiting inside PostgreSQL: there, a waiter whose process died would go on waiting. */
const ASK_EVERY_MS = 100;

/** Takes a session-level advisory lock on the client, which is used for nothing else and closed at the end. */
export async function holdLock<T>(
  client: Client,
  name: string,
  work: (held: AbortSignal) => Promise<T>,
  { clock, signal }: { clock: Clock; signal: AbortSignal | undefined },
): Promise<T> {
  const lost = new AbortController();
  const lose = (cause?: unknown): void =>
    lost.abort(new AppError('DATABASE_LOCK_LOST', `The connection that held the lock "${name}" broke.`, { cause }));
  client.on('error', lose);
  client.on('end', () => lose());
  try {
    await waitForLock(client, name, { clock, signal });
    return await work(signal ? AbortSignal.any([lost.signal, signal]) : lost.signal);
  } catch (error) {
    throw asDatabaseError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function waitForLock(
  client: Client,
  name: string,
  { clock, signal }: { clock: Clock; signal: AbortSignal | undefined },
): Promise<void> {
  signal?.throwIfAborted();
  await client.connect();
  const ask = 'select pg_try_advisory_lock(hashtextextended($1, 0)) as got';
  while ((await client.query<{ got: boolean }>(ask, [name])).rows[0]?.got !== true) {
    await clock.sleep(ASK_EVERY_MS, signal).catch(() => signal?.throwIfAborted());
  }
  signal?.throwIfAborted();
}
