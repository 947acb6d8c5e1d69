import type { Namespace, Server, Socket } from 'socket.io';
import { z } from 'zod';
import {
  acceptSchema,
  acknowledgeSchema,
  AGENT_NAMESPACE,
  handshakeSchema,
  helloSchema,
  modelReportSchema,
  releaseSchema,
  renewSchema,
  syncSchema,
} from '../../../common/protocol/agent-link.ts';
import type { AgentToCoordinator, CoordinatorToAgent, Handshake } from '../../../common/protocol/agent-link.ts';
import { agreeOnProtocol, PROTOCOL, protocolRangeSchema } from '../../../common/protocol/version.ts';
import { AppError, codeOf, messageOf } from '../../../common/runtime/errors.ts';
import type { Logger } from '../../../common/runtime/logger.ts';
import { fail } from '../../../common/runtime/result.ts';
import type { Result } from '../../../common/runtime/result.ts';

/** A connection that has proved who it is. */
export interface AgentSession {
  agentId: string;
  sessionId: string;
}

type Event = keyof AgentToCoordinator;
type RequestOf<E extends Event> = Parameters<AgentToCoordinator[E]>[0];
type AckOf<E extends Event> = Parameters<AgentToCoordinator[E]>[1];
type AnswerOf<E extends Event> = Parameters<AckOf<E>>[0] extends Result<infer T> ? T : never;

/** What the fleet does about each event; a thrown AppError becomes a refusal, too. */
export type AgentHandlers = {
  [E in Event]: (session: AgentSession, request: RequestOf<E>) => Promise<Result<AnswerOf<E>>>;
};

export interface AgentDoor {
  /** Checks the signature of a handshake; rejects with the reason. */
  admit(handshake: Handshake): Promise<AgentSession>;
  /** The last connection of a session ended. */
  left?(session: AgentSession): void;
  handlers: AgentHandlers;
}

const empty = z.object({});
/** Parsed at the edge: handlers trust what they get. */
const SCHEMAS: { [E in Event]: z.ZodType<RequestOf<E>> } = {
  'agent:hello': helloSchema as z.ZodType<RequestOf<'agent:hello'>>,
  'agent:drain': empty as z.ZodType<RequestOf<'agent:drain'>>,
  'lease:renew': renewSchema,
  'work:request': empty as z.ZodType<RequestOf<'work:request'>>,
  'work:accept': acceptSchema,
  'work:release': releaseSchema,
  'shard:sync': syncSchema,
  'shard:acknowledge': acknowledgeSchema,
  'model:report': modelReportSchema as z.ZodType<RequestOf<'model:report'>>,
  'takedown:list': empty as z.ZodType<RequestOf<'takedown:list'>>,
  'placeholder:list': empty as z.ZodType<RequestOf<'placeholder:list'>>,
};

type AgentSocket = Socket<AgentToCoordinator, CoordinatorToAgent, Record<string, never>, { session: AgentSession }>;
type AgentNamespace = Namespace<
  AgentToCoordinator,
  CoordinatorToAgent,
  Record<string, never>,
  { session: AgentSession }
>;

/** The agents' side of the gateway. */
export interface AgentGateway {
  /** A wake-up for every connection of the agent; one that is not connected misses it and learns the same at its next renewal. */
  notify<E extends keyof CoordinatorToAgent>(
    agentId: string,
    event: E,
    hint: Parameters<CoordinatorToAgent[E]>[0],
  ): void;
  notifyAll<E extends keyof CoordinatorToAgent>(event: E, hint: Parameters<CoordinatorToAgent[E]>[0]): void;
  /** Tells one session of an agent, then cuts its connections. */
  dismiss(sessionId: string, reason: string): void;
  /** Agents with a live connection to this coordinator. */
  connected(): ReadonlySet<string>;
}

export function serveAgents(io: Server, door: AgentDoor, logger: Logger): AgentGateway {
  const namespace = io.of(AGENT_NAMESPACE) as unknown as AgentNamespace;
  namespace.use((socket, next) => {
    admit(socket.handshake.auth, door).then(
      (session) => {
        socket.data.session = session;
        next();
      },
      (error: unknown) => {
        logger.info({ code: codeOf(error), reason: messageOf(error) }, 'agent refused');
        next(
          Object.assign(new Error(messageOf(error)), {
            data: { code: codeOf(error) ?? 'INTERNAL', message: messageOf(error) },
          }),
        );
      },
    );
  });
  namespace.on('connection', (socket) => {
    const { session } = socket.data;
    void socket.join([agentRoom(session.agentId), sessionRoom(session.sessionId)]);
    logger.debug({ ...session }, 'agent connected');
    for (const event of Object.keys(SCHEMAS) as Event[]) listen(socket, event, door.handlers, logger);
    socket.on('disconnect', (reason) => {
      logger.debug({ ...session, reason }, 'agent disconnected');
      if (!namespace.adapter.rooms.has(sessionRoom(session.sessionId))) door.left?.(session);
    });
  });
  return agentGateway(namespace);
}

const agentRoom = (agentId: string): string => `agent:${agentId}`;
const sessionRoom = (sessionId: string): string => `session:${sessionId}`;

function agentGateway(namespace: AgentNamespace): AgentGateway {
  type AnyArgs = Parameters<CoordinatorToAgent[keyof CoordinatorToAgent]>;
  return {
    notify: (agentId, event, hint) =>
      void namespace.to(agentRoom(agentId)).emit(event, ...([hint] as unknown as AnyArgs as never)),
    notifyAll: (event, hint) => void namespace.emit(event, ...([hint] as unknown as AnyArgs as never)),
    dismiss: (sessionId, reason) => {
      const connections = namespace.in(sessionRoom(sessionId));
      connections.emit('session:superseded', { reason });
      connections.disconnectSockets(true);
    },
    connected: () => new Set([...namespace.sockets.values()].map((socket) => socket.data.session.agentId)),
  };
}

/** The protocol number is checked before the rest: a later version may shake hands differently. */
async function admit(auth: unknown, door: AgentDoor): Promise<AgentSession> {
  const range = protocolRangeSchema.safeParse((auth as { protocol?: unknown } | undefined)?.protocol);
  if (!range.success) throw new AppError('PROTOCOL_UNSUPPORTED', 'The handshake names no protocol range { min, max }.');
  if (agreeOnProtocol(PROTOCOL, range.data) === undefined) {
    throw new AppError(
      'PROTOCOL_UNSUPPORTED',
      `This coordinator speaks protocol ${PROTOCOL.min} to ${PROTOCOL.max}, the agent ${range.data.min} to ${range.data.max}; ` +
        `update the ${range.data.max < PROTOCOL.min ? 'agent' : 'coordinator'}.`,
    );
  }
  const handshake = handshakeSchema.safeParse(auth);
  if (!handshake.success) throw new AppError('HANDSHAKE_REFUSED', `Bad handshake: ${z.prettifyError(handshake.error)}`);
  return door.admit(handshake.data);
}

function listen<E extends Event>(socket: AgentSocket, event: E, handlers: AgentHandlers, logger: Logger): void {
  const answer = async (request: unknown): Promise<Result<AnswerOf<E>>> => {
    const parsed = SCHEMAS[event].safeParse(request);
    if (!parsed.success) return fail('REQUEST_INVALID', `${event}: ${z.prettifyError(parsed.error)}`);
    return handlers[event](socket.data.session, parsed.data);
  };
  const listener = (request: unknown, ack: unknown): void => {
    if (typeof ack !== 'function') return;
    answer(request).then(ack as (result: unknown) => void, (error: unknown) => {
      const known = error instanceof AppError;
      if (!known) logger.error({ err: error, event, ...socket.data.session }, 'agent request failed');
      ack(
        fail(codeOf(error) ?? 'INTERNAL', known ? messageOf(error) : 'The coordinator failed; its log has the reason.'),
      );
    });
  };
  socket.on(event as string as never, listener as never);
}
