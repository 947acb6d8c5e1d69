import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import { AppError } from '../../../common/runtime/errors.ts';
import type { AccessControl, Principal, Role } from './access.ts';
import { mayAct } from './access.ts';

/** Who may call a route: a role and all above it, any agent with a session, or everybody. */
export type RouteRole = Role | 'agent' | 'public';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Must be declared by every route; without it the coordinator does not start. */
    role?: RouteRole;
  }
  interface FastifyRequest {
    principal: Principal;
  }
}

/** The session that a bearer key belongs to. */
export interface AgentSessions {
  authenticate(sessionKey: string): Promise<{ agentId: string; sessionId: string } | undefined>;
}

const NOBODY: Principal = { kind: 'nobody' };

/** Installs the door: checks at start that every route says who may call it, and on each call that the caller may. */
export function guardRoutes(app: FastifyInstance, access: AccessControl, sessions: AgentSessions): void {
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => void routes.push(route));
  app.addHook('onReady', async () => {
    const open = routes.filter((route) => route.config?.role === undefined);
    if (open.length === 0) return;
    const names = open.map((route) => `${String(route.method)} ${route.url}`).join(', ');
    throw new AppError('ROUTE_WITHOUT_ROLE', `These routes do not say who may call them: ${names}. Add config.role.`);
  });
  app.decorateRequest('principal', null as never);
  app.addHook('onRequest', async (request) => {
    request.principal = NOBODY;
    // An unknown URL has no role of its own; its 404 is for everybody.
    const role = request.is404 ? 'public' : request.routeOptions.config.role;
    if (role === 'public') return;
    request.principal = await admit(request, role ?? 'admin', access, sessions);
  });
}

async function admit(
  request: FastifyRequest,
  needed: Role | 'agent',
  access: AccessControl,
  sessions: AgentSessions,
): Promise<Principal> {
  const key = /^Bearer (\S{8,300})$/i.exec(request.headers.authorization ?? '')?.[1];
  if (key === undefined) throw unauthenticated('This needs a header "Authorization: Bearer <token>".');
  if (needed === 'agent') {
    const session = await sessions.authenticate(key);
    if (!session) throw new AppError('SESSION_UNKNOWN', 'No live session has this key; connect anew for another.');
    return { kind: 'agent', ...session };
  }
  const principal = await access.verify(key);
  if (!principal) throw unauthenticated('This token is unknown or revoked; ask an administrator for another.');
  if (!mayAct(principal.role, needed)) {
    throw new AppError(
      'FORBIDDEN',
      `This needs the role ${needed}; the token "${principal.name}" has ${principal.role}.`,
    );
  }
  return principal;
}

const unauthenticated = (message: string): AppError => new AppError('UNAUTHENTICATED', message);
