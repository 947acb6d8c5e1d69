/** Nobody is believed for longer: a typo in a server's settings would hide its cameras for years. */
export const MOST_RETRY_AFTER_MS = 3_600_000;
const LEAST_MS = 1_000;

/**
 * `Retry-After`, seconds or an HTTP date, as ms from now; `undefined` where it says nothing. `date` is the server's own `Date`,
 * which cancels its wrong clock.
 */
export function parseRetryAfter(value: string | undefined, now: number, date?: string): number | undefined {
  const text = value?.trim() ?? '';
  const ms = /^\d{1,12}(\.\d+)?$/.test(text) ? Number(text) * 1_000 : untilDate(text, now, date);
  return ms === undefined ? undefined : Math.min(MOST_RETRY_AFTER_MS, Math.max(LEAST_MS, Math.ceil(ms)));
}

function untilDate(text: string, now: number, date: string | undefined): number | undefined {
  // `Date.parse` also takes things like "1.5" or "-3".
  const at = /^[A-Za-z]{3,9},? /.test(text) ? Date.parse(text) : NaN;
  if (!Number.isFinite(at)) return undefined;
  const server = date === undefined ? NaN : Date.parse(date);
  return at - (Number.isFinite(server) ? server : now);
}
