import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors, isResponseSerializationError } from 'fastify-type-provider-zod';
import { AppError, codeOf, messageOf } from '../../../common/runtime/errors.ts';
import { redact, redactAll } from '../../../common/runtime/redact.ts';

/** Codes whose status their ending does not tell. */
const STATUS: Readonly<Record<string, number>> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  HOST_REFUSED: 421,
  DATABASE_UNAVAILABLE: 503,
  REDIS_UNAVAILABLE: 503,
  SESSION_UNKNOWN: 401,
  HANDSHAKE_REFUSED: 401,
  INVITATION_REFUSED: 403,
  QUOTA_FULL: 507,
};

/** By the last word of the code: rooms name their errors, this table only knows the kinds. */
const ENDINGS: readonly [RegExp, number][] = [
  [/_(NOT_FOUND|UNKNOWN|ABSENT)$/, 404],
  [/_(CONFLICT|STATE|EXISTS|DUPLICATE|BUSY|GAP)$/, 409],
  [/_(TOO_LARGE|TOO_BIG)$/, 413],
  [/_(REFUSED|REVOKED|FORBIDDEN|EXPIRED)$/, 403],
  [/_(INVALID|MISMATCH|UNSUPPORTED|UNSIGNED|TAMPERED|FORMAT|DIGEST|SCHEMA|SIGNATURE|QUERY|CURSOR)$/, 400],
  [/_UNAVAILABLE$/, 503],
];

/** HTTP status of an error's code; 500 where nobody foresaw it. An error whose `details.status` names one needs no line here. */
export function statusOf(code: string): number {
  return STATUS[code] ?? ENDINGS.find(([ending]) => ending.test(code))?.[1] ?? 500;
}

interface ErrorBody {
  code: string;
  message: string;
  details?: unknown;
}

/** Every failure becomes `{ code, message, details }`; what nobody foresaw is logged and tells the caller nothing. */
export function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, body } = describe(error);
  if (status >= 500) request.log.error({ err: error, code: body.code }, 'request failed');
  if (status === 503) void reply.header('retry-after', '2');
  if (status === 401) void reply.header('www-authenticate', 'Bearer');
  return reply.status(status).send(body);
}

function describe(error: FastifyError): { status: number; body: ErrorBody } {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const issues = error.validation.map(({ instancePath, message }) => ({
      at: `${error.validationContext ?? 'body'}${instancePath.replaceAll('/', '.')}`,
      message: message ?? 'is not allowed',
    }));
    const message = `The request is not as expected: ${issues.map((issue) => `${issue.at}: ${issue.message}`).join('; ')}.`;
    return { status: 400, body: { code: 'REQUEST_INVALID', message, details: issues } };
  }
  const code = codeOf(error) ?? 'INTERNAL';
  if (isResponseSerializationError(error)) return internal();
  if (error instanceof AppError) {
    const { status: named, ...rest } = error.details;
    const status = typeof named === 'number' ? named : statusOf(code);
    const details = Object.keys(rest).length > 0 ? { details: redactAll(rest) } : {};
    return status === 500 ? internal(code) : { status, body: { code, message: redact(error.message), ...details } };
  }
  const status = error.statusCode ?? 500;
  if (status >= 500) return internal();
  return { status, body: { code: code.startsWith('FST_') ? code.slice(4) : code, message: redact(messageOf(error)) } };
}

function internal(code = 'INTERNAL'): { status: number; body: ErrorBody } {
  return { status: 500, body: { code, message: 'The coordinator failed to answer this; its log has the reason.' } };
}
