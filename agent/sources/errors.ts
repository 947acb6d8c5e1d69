import { AppError, codeOf, isAbort, messageOf } from '../../common/runtime/errors.ts';
import { redact, redactAll } from '../../common/runtime/redact.ts';
import type { Evidence, Judgement, Verdict } from '../../common/domain/verdict.ts';

/** The codes that a source throws, each with the verdict that an attempt gets which ends so. */
const VERDICT_OF_CODE = {
  SOURCE_TIMEOUT: 'timeout',
  SOURCE_REFUSED: 'refused',
  SOURCE_INTERRUPTED: 'interrupted',
  SOURCE_DNS: 'dns',
  SOURCE_TLS: 'tls',
  SOURCE_UNAUTHORIZED: 'unauthorized',
  SOURCE_HTTP_ERROR: 'http_error',
  SOURCE_TOO_LARGE: 'too_large',
  SOURCE_BLOCKED: 'blocked',
  SOURCE_PROTOCOL: 'protocol_error',
  SOURCE_REDIRECTS: 'protocol_error',
  SOURCE_ENDED: 'no_frame',
  SOURCE_EMPTY: 'empty',
  SOURCE_NO_PICTURES: 'not_an_image',
} as const satisfies Record<string, Verdict>;

export type SourceErrorCode = keyof typeof VERDICT_OF_CODE;

export function sourceError(code: SourceErrorCode, message: string, details: Evidence = {}, cause?: unknown): AppError {
  return new AppError(code, message, { details, cause });
}

/**
 * The verdict of an attempt that ended in this error. An abort is no attempt's outcome (the lease is gone): it is thrown on.
 * Signals may carry another reason than an AbortError, so look at the signal first.
 */
export function verdictOfSourceError(error: unknown): Judgement {
  if (isAbort(error)) throw error;
  const code = codeOf(error);
  const verdict: Verdict = (code && VERDICT_OF_CODE[code as SourceErrorCode]) || 'failed';
  const evidence: Evidence = { code: code ?? 'UNKNOWN' };
  // Cameras and ffmpeg repeat what they were asked for: evidence goes to pages and researchers.
  if (error instanceof AppError) Object.assign(evidence, redactAll(error.details));
  else evidence['message'] = redact(messageOf(error)).slice(0, 200);
  return { verdict, evidence };
}

// EINVAL: an address that no connection can be made to, like multicast.
const REFUSED = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'EADDRNOTAVAIL',
  'EACCES',
  'EINVAL',
]);
const BROKEN = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'UND_ERR_SOCKET',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
]);
const TIMED_OUT = new Set(['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);
const DNS = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME', 'ENODATA', 'ESERVFAIL']);

/**
 * Translates what Node or undici threw while talking to `host`. `answered`: the answer had begun, so a broken connection is an
 * interruption and not a refusal.
 */
export function fromTransport(error: unknown, host: string, answered: boolean): Error {
  if (error instanceof AppError || isAbort(error)) return error as Error;
  const code = codeOf(error) ?? '';
  const facts = { host, cause: code || messageOf(error).slice(0, 120) };
  if (TIMED_OUT.has(code))
    return sourceError('SOURCE_TIMEOUT', `${host} did not answer in time (${code}).`, facts, error);
  if (DNS.has(code))
    return sourceError('SOURCE_DNS', `The name ${host} is not known (${code}); check the URL.`, facts, error);
  if (REFUSED.has(code) || (BROKEN.has(code) && !answered))
    return sourceError(
      'SOURCE_REFUSED',
      `${host} refused the connection or cannot be reached (${code}).`,
      facts,
      error,
    );
  if (BROKEN.has(code))
    return sourceError(
      'SOURCE_INTERRUPTED',
      `${host} broke off before the answer was complete (${code}).`,
      facts,
      error,
    );
  if (/^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_OSSL|EPROTO)/.test(code))
    return sourceError('SOURCE_TLS', `No acceptable encrypted connection to ${host} (${code}).`, facts, error);
  return sourceError('SOURCE_PROTOCOL', `${host} did not follow HTTP (${facts.cause}).`, facts, error);
}
