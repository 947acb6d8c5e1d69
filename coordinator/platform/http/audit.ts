import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Queryable } from '../database/queries.ts';

declare module 'fastify' {
  interface FastifyRequest {
    auditId: number | undefined;
  }
  interface FastifyContextConfig {
    /** Says only that somebody lives: comes every few seconds, and nobody decided it. */
    isHeartbeat?: boolean;
  }
}

const CHANGES = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);
const SECRET = /password|credentials|secret|token|invitation|privatekey/i;
/** Enough to see what was asked; a whole upload does not belong here. */
const MOST_DETAILS = 4_000;

/**
 * Records every change that people and programs ask for, before it is tried: nothing happens unrecorded. What agents report is
 * not asked for by anybody and has its own ledger; only their joining is recorded.
 */
export function auditRequests(app: FastifyInstance, database: Queryable): void {
  app.decorateRequest('auditId', undefined);
  app.addHook('preHandler', async (request) => {
    if (!CHANGES.has(request.method) || request.principal.kind === 'agent' || request.is404) return;
    if (request.routeOptions.config.isHeartbeat) return;
    const { id } = await database.one<{ id: number }>(
      'insert into audit (actor, role, action, target, details) values ($1, $2, $3, $4, $5) returning id',
      [...actorOf(request), `${request.method} ${request.routeOptions.url ?? ''}`, pathOf(request), detailsOf(request)],
    );
    request.auditId = id;
  });
  app.addHook('onResponse', async (request, reply) => {
    if (request.auditId === undefined) return;
    await database
      .query('update audit set status = $2 where id = $1', [request.auditId, reply.statusCode])
      .catch((error: unknown) => request.log.warn({ err: error }, 'outcome of a change not recorded'));
  });
}

function actorOf({ principal, ip }: FastifyRequest): [string, string] {
  return principal.kind === 'token' ? [`${principal.name} (${principal.tokenId})`, principal.role] : [ip, 'nobody'];
}

const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0] ?? '';

function detailsOf({ body, query }: FastifyRequest): string | null {
  const plain = typeof body === 'object' && body !== null && !ArrayBuffer.isView(body) && !('pipe' in body);
  const details = JSON.stringify({ ...(plain && { body }), query }, (key, value: unknown) =>
    SECRET.test(key) ? '***' : value,
  );
  return details.length > MOST_DETAILS ? JSON.stringify({ cut: details.slice(0, MOST_DETAILS) }) : details;
}
