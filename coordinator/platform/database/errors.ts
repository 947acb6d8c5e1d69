import { AppError, codeOf } from '../../../common/runtime/errors.ts';

/** Serialization failure and deadlock: nothing happened, the same transaction may succeed next time. */
const CONFLICTS = new Set(['40001', '40P01']);

const UNREACHABLE = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN']);

export const isConflict = (error: unknown): boolean => CONFLICTS.has(codeOf(error) ?? '');

/** A violated unique constraint. */
export const isDuplicate = (error: unknown): boolean => codeOf(error) === '23505';

/**
 * Connection trouble becomes `DATABASE_UNAVAILABLE`: the caller may try later. What became of a statement that was under way is
 * unknown then. Everything else keeps PostgreSQL's own code.
 */
export function asDatabaseError(error: unknown): unknown {
  if (!isUnavailable(error)) return error;
  return new AppError('DATABASE_UNAVAILABLE', 'PostgreSQL cannot be reached; it is tried again with the next query.', {
    cause: error,
  });
}

function isUnavailable(error: unknown): boolean {
  const code = codeOf(error);
  // Class 08: connection exceptions. 57P01-57P03: shut down, crashed, starting up. 53300: too many connections.
  if (code !== undefined) return UNREACHABLE.has(code) || code === '53300' || /^(08|57P0[123])/.test(code);
  // `pg` gives no code where the socket closed under a query, or where the pool gave up waiting.
  const text = error instanceof Error ? error.message : '';
  return /^(connection terminated|timeout exceeded when trying to connect|client has encountered a connection error)/i.test(
    text,
  );
}
