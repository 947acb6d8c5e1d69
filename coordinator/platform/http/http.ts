import { existsSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import Fastify, { LogController } from 'fastify';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { Logger } from '../../../common/runtime/logger.ts';
import type { Queryable } from '../database/queries.ts';
import type { AccessControl } from './access.ts';
import { auditRequests } from './audit.ts';
import { answerError } from './errors.ts';
import type { AgentSessions } from './guard.ts';
import { guardRoutes } from './guard.ts';
import { protectOrigin } from './hosts.ts';
import { measureRequests } from './metrics.ts';
import type { Metrics } from './metrics.ts';
import { systemRoutes } from './routes.ts';
import type { ReadinessChecks } from './routes.ts';

/** What a room's routes.ts exports, made with the room's services. Schemas are zod; `config.role` is required. */
export type Routes = FastifyPluginAsyncZod;

export interface HttpOptions {
  /** Port 0 takes a free one. */
  listen: { host: string; port: number };
  version: string;
  access: AccessControl;
  sessions: AgentSessions;
  database: Queryable;
  logger: Logger;
  metrics: Metrics;
  ready: ReadinessChecks;
  /** Served below /api/v1. */
  routes: readonly Routes[];
  /** The built page; where it is absent only the API is served. */
  pageFolder: string;
}

export interface Http {
  /** For the gateway: sockets share the port. */
  readonly server: Server;
  /** Valid after `start`, e.g. `http://127.0.0.1:8600`. */
  readonly url: string;
  start(): Promise<void>;
  /** Takes no new request, waits for those under way. */
  stop(): Promise<void>;
}

/** JSON bodies are small; a route that takes more declares its own `bodyLimit`. */
const BODY_LIMIT = 1_048_576;

/** Fastify with everything that is the same for all routes. Built but not listening. */
export async function createHttp(options: HttpOptions): Promise<Http> {
  const { listen, logger } = options;
  const app: FastifyInstance = Fastify({
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT,
    // Keep-alive connections of agents must not hold up the end.
    forceCloseConnections: 'idle',
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(answerError);
  app.setNotFoundHandler((request, reply) =>
    reply
      .status(404)
      .send({ code: 'ROUTE_NOT_FOUND', message: `There is nothing at ${request.method} ${pathOf(request.url)}.` }),
  );
  protectOrigin(app, listen.host);
  guardRoutes(app, options.access, options.sessions);
  auditRequests(app, options.database);
  measureRequests(app, options.metrics.registry);
  await documentApi(app, options.version);
  await app.register(systemRoutes(options));
  for (const routes of options.routes) await app.register(routes, { prefix: '/api/v1' });
  await servePage(app, options.pageFolder);
  return {
    server: app.server,
    get url() {
      const { port } = app.server.address() as AddressInfo;
      return `http://${listen.host.includes(':') ? `[${listen.host}]` : listen.host}:${port}`;
    },
    start: async () => void (await app.listen(listen)),
    stop: () => app.close(),
  };
}

const pathOf = (url: string): string => url.split('?', 1)[0] ?? '';

async function documentApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      info: {
        title: 'camfleet',
        version,
        description: 'The API of the coordinator; the page and the CLI use nothing else.',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    transform: jsonSchemaTransform,
  });
  await app.register(async (scope) => {
    everybodyMay(scope);
    await scope.register(swaggerUi, { routePrefix: '/api/docs', staticCSP: true });
    scope.get('/api/v1/openapi.json', { schema: { hide: true } }, () => app.swagger());
  });
}

async function servePage(app: FastifyInstance, folder: string): Promise<void> {
  if (!existsSync(join(folder, 'index.html'))) {
    app.log.warn({ folder }, 'the page is not built; only the API is served');
    return;
  }
  await app.register(async (scope) => {
    everybodyMay(scope);
    await scope.register(fastifyStatic, {
      root: folder,
      cacheControl: false,
      // Built names carry their content's digest; the page itself must always be asked for.
      setHeaders: (reply, path) =>
        void reply.setHeader(
          'cache-control',
          path.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
        ),
    });
  });
}

/** Files that anybody may have: the page shows nothing before it has a token. */
function everybodyMay(scope: FastifyInstance): void {
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, role: 'public' };
  });
}
