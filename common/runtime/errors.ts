/** Exit codes of every camfleet command; scripts rely on them. */
export const EXIT = { done: 0, failed: 1, usage: 2, refused: 3 } as const;

export interface AppErrorOptions {
  cause?: unknown;
  /** Named values for logs and API bodies. Never credentials. */
  details?: Record<string, unknown>;
}

/**
 * The one error class of camfleet. Decide on `code`, never on the class or the text: a message says what happened, what was
 * expected and how to mend it, and may change.
 */
export class AppError extends Error {
  readonly code: string;
  readonly details: Record<string, unknown>;

  constructor(code: string, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** The `code` of any thrown value: ours, Node's, undici's or PostgreSQL's; `undefined` where there is none. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || codeOf(error) === 'ABORT_ERR');
}

/** For the `default` of a switch over a union: the compiler finds the forgotten case. */
export function unhandled(value: never): never {
  throw new AppError('UNHANDLED_CASE', `Unhandled case ${JSON.stringify(value)}; this is a bug.`);
}
