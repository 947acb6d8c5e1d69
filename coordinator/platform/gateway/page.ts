import type { Namespace, Server, Socket } from 'socket.io';
import { z } from 'zod';
import { PAGE_NAMESPACE, subscribeSchema, watchSchema } from '../../../common/protocol/page-link.ts';
import type { CoordinatorToPage, PageToCoordinator } from '../../../common/protocol/page-link.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { messageOf } from '../../../common/runtime/errors.ts';
import type { Logger } from '../../../common/runtime/logger.ts';
import { fail, ok } from '../../../common/runtime/result.ts';
import type { Service } from '../../../common/runtime/service.ts';

export interface Row {
  id: number;
}

/** Where the page's numbers come from. */
export interface PageSources {
  /** Whether the token may look. */
  mayLook(token: string): Promise<boolean>;
  /** One aggregate for all pages. */
  status(): Promise<object>;
  /** The current rows of these cameras. */
  rows(ids: readonly number[]): Promise<Row[]>;
  /** Asks the holders for each new picture of these cameras. */
  watch(ids: readonly number[], seconds: number): Promise<void>;
}

/** People see a second as live; a fleet that changes more often costs no more than this. */
const PUSH_EVERY_MS = 1_000;
/** The page asks again well before it runs out. */
const WATCH_SECONDS = 30;

interface Watched {
  ids: readonly number[];
  /** What this page has, as text, by id. */
  sent: Map<number, string>;
}
type PageSocket = Socket<
  PageToCoordinator<Row>,
  CoordinatorToPage<object, Row>,
  Record<string, never>,
  { watched: Watched }
>;
type PageNamespace = Namespace<
  PageToCoordinator<Row>,
  CoordinatorToPage<object, Row>,
  Record<string, never>,
  { watched: Watched }
>;

/** Pushes to the pages what changed, once a second, and asks nobody while no page is open. */
export function servePages(io: Server, sources: PageSources, parts: { clock: Clock; logger: Logger }): Service {
  const namespace = io.of(PAGE_NAMESPACE) as unknown as PageNamespace;
  let status = '';
  admitPages(namespace, sources);
  namespace.on('connection', (socket) => {
    socket.data.watched = { ids: [], sent: new Map() };
    // A new page gets the aggregate at once, not when it next changes.
    if (status !== '') socket.emit('fleet:status', JSON.parse(status) as object);
    socket.on('cameras:subscribe', (request, ack) => void subscribe(socket, request, ack, sources));
    socket.on('cameras:watch', (request, ack) => void watch(request, ack, sources));
  });

  const push = async (): Promise<void> => {
    if (namespace.sockets.size === 0) return;
    const now = JSON.stringify(await sources.status());
    if (now !== status) namespace.emit('fleet:status', JSON.parse(now) as object);
    status = now;
    await pushRows([...namespace.sockets.values()], sources);
  };
  return repeating(push, parts);
}

function admitPages(namespace: PageNamespace, sources: PageSources): void {
  namespace.use((socket, next) => {
    const token: unknown = socket.handshake.auth['token'];
    const refuse = (message: string): void =>
      next(Object.assign(new Error(message), { data: { code: 'UNAUTHENTICATED', message } }));
    if (typeof token !== 'string') return refuse('The page needs a token; open the link that the coordinator printed.');
    sources.mayLook(token).then(
      (may) => (may ? next() : refuse('This token is unknown or revoked.')),
      (error: unknown) => refuse(messageOf(error)),
    );
  });
}

type Ack<E extends keyof PageToCoordinator<Row>> = Parameters<PageToCoordinator<Row>[E]>[1];

async function subscribe(
  socket: PageSocket,
  request: unknown,
  ack: Ack<'cameras:subscribe'>,
  sources: PageSources,
): Promise<void> {
  if (typeof ack !== 'function') return;
  const parsed = subscribeSchema.safeParse(request);
  if (!parsed.success) return ack(fail('REQUEST_INVALID', z.prettifyError(parsed.error)));
  const watched: Watched = { ids: parsed.data.ids, sent: new Map() };
  socket.data.watched = watched;
  try {
    const rows = watched.ids.length > 0 ? await sources.rows(watched.ids) : [];
    for (const row of rows) watched.sent.set(row.id, JSON.stringify(row));
    ack(ok({ rows }));
  } catch (error) {
    ack(fail('UNAVAILABLE', messageOf(error)));
  }
}

async function watch(request: unknown, ack: Ack<'cameras:watch'>, sources: PageSources): Promise<void> {
  if (typeof ack !== 'function') return;
  const parsed = watchSchema.safeParse(request);
  if (!parsed.success) return ack(fail('REQUEST_INVALID', z.prettifyError(parsed.error)));
  await sources.watch(parsed.data.ids, WATCH_SECONDS).then(
    () => ack(ok({ seconds: WATCH_SECONDS })),
    (error: unknown) => ack(fail('UNAVAILABLE', messageOf(error))),
  );
}

/** One question for all pages together, whatever they show. */
async function pushRows(sockets: readonly PageSocket[], sources: PageSources): Promise<void> {
  const ids = new Set(sockets.flatMap((socket) => socket.data.watched.ids));
  if (ids.size === 0) return;
  const rows = new Map((await sources.rows([...ids])).map((row) => [row.id, { row, text: JSON.stringify(row) }]));
  for (const socket of sockets) {
    const { watched } = socket.data;
    const changed = watched.ids.flatMap((id) => {
      const found = rows.get(id);
      if (!found || watched.sent.get(id) === found.text) return [];
      watched.sent.set(id, found.text);
      return [found.row];
    });
    if (changed.length > 0) socket.emit('cameras:rows', { rows: changed });
  }
}

/** Runs again a second after it ended: a slow database is asked less often, never by several at once. */
function repeating(run: () => Promise<void>, { clock, logger }: { clock: Clock; logger: Logger }): Service {
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await run().catch((error: unknown) => logger.warn({ err: error }, 'page not updated'));
      await clock.sleep(PUSH_EVERY_MS, stopping.signal).catch(() => undefined);
    }
  };
  return {
    start: async () => void (running = loop()),
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
