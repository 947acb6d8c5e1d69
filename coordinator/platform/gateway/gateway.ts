import type { Server as HttpServer } from 'node:http';
import { Server } from 'socket.io';
import { systemClock } from '../../../common/runtime/clock.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Logger } from '../../../common/runtime/logger.ts';
import type { Service } from '../../../common/runtime/service.ts';
import type { AgentDoor, AgentGateway } from './agents.ts';
import { serveAgents } from './agents.ts';
import type { PageSources } from './page.ts';
import { servePages } from './page.ts';

export interface GatewayOptions {
  /** Shared with the API. */
  server: HttpServer;
  agents: AgentDoor;
  page: PageSources;
  /** Whether a `Host` header is ours; sockets pass Fastify by. */
  isAllowedHost(header: string | undefined): boolean;
  logger: Logger;
  clock?: Clock;
}

export interface Gateway extends AgentGateway, Service {}

/** Control messages are small: a hello with 10,000 grants is the largest. */
const MOST_BYTES = 2_000_000;
/** Agents count on it: see UNANSWERED_RENEWALS in the agent's link. */
const PING_MS = 4_000;

/** Everything on sockets: agents on /agents, pages on /page. */
export function createGateway({
  server,
  agents,
  page,
  isAllowedHost,
  logger,
  clock = systemClock,
}: GatewayOptions): Gateway {
  const io = new Server(server, {
    serveClient: false,
    maxHttpBufferSize: MOST_BYTES,
    // An agent takes a connection for dead on which renewals stay unanswered and nothing at all arrives: a coordinator that is
    // merely slow still pings.
    pingInterval: PING_MS,
    pingTimeout: 10_000,
    allowRequest: (request, decide) => {
      const ours = isAllowedHost(request.headers.host) && isOwnOrigin(request.headers.origin, request.headers.host);
      decide(ours ? null : 'This coordinator answers its own page and agents only.', ours);
    },
  });
  const agentGateway = serveAgents(io, agents, logger);
  const pages = servePages(io, page, { clock, logger });
  return {
    ...agentGateway,
    start: () => pages.start(),
    stop: async () => {
      await pages.stop();
      io.disconnectSockets(true);
      // Closes the engine; the HTTP server has an owner of its own who closes it after us.
      io.engine.close();
    },
  };
}

/** Browsers name the page that opens a socket; agents name none. */
function isOwnOrigin(origin: string | undefined, host: string | undefined): boolean {
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
}
