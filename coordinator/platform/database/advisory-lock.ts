import type { Client } from 'pg';
import { AppError } from '../../../common/runtime/errors.ts';
import { asDatabaseError } from './errors.ts';

/** Takes a session-level advisory lock on the client, which is used for nothing else and closed at the end. */
export async function holdLock<T>(
  client: Client,
  name: string,
  work: (held: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const lost = new AbortController();
  const lose = (cause?: unknown): void =>
    lost.abort(new AppError('DATABASE_LOCK_LOST', `The connection that held the lock "${name}" broke.`, { cause }));
  client.on('error', lose);
  client.on('end', () => lose());
  // Closing the connection is what ends the wait for a lock, and the lock itself.
  const close = (): void => void client.end().catch(() => undefined);
  signal?.addEventListener('abort', close, { once: true });
  try {
    signal?.throwIfAborted();
    await client.connect();
    await client.query('select pg_advisory_lock(hashtextextended($1, 0))', [name]);
    signal?.throwIfAborted();
    signal?.removeEventListener('abort', close);
    return await work(signal ? AbortSignal.any([lost.signal, signal]) : lost.signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw asDatabaseError(error);
  } finally {
    signal?.removeEventListener('abort', close);
    await client.end().catch(() => undefined);
  }
}
