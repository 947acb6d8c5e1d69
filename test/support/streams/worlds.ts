import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import { streamWorld } from './sources.ts';

/** Its port on loopback. */
export async function listening<T extends Server | HttpServer>(server: T): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return (server.address() as AddressInfo).port;
}

/** `streamWorld` for one test: closed at its end, when no decoder may run any more. */
export function world(options: Parameters<typeof streamWorld>[0] = {}) {
  const made = streamWorld(options);
  onTestFinished(async () => {
    await made.close();
    expect(made.decoders.running).toBe(0);
  });
  return made;
}

export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

/** An HTTP server that answers by path, and the requests it saw. */
export async function serving(answers: Record<string, Answer | ((request: IncomingMessage) => Answer)>) {
  const seen: IncomingMessage[] = [];
  const server = createHttpServer((request, response) => {
    seen.push(request);
    const found = answers[request.url ?? ''];
    const {
      status = found ? 200 : 404,
      headers = {},
      body = '',
    } = (typeof found === 'function' ? found(request) : found) ?? {};
    response.writeHead(status, headers).end(body);
  });
  const port = await listening(server);
  onTestFinished(() => void (server.closeAllConnections(), server.close()));
  return { url: `http://127.0.0.1:${port}`, seen };
}

/** A media playlist of these lines. */
export const playlist = (...lines: string[]): Answer => ({
  body: ['#EXTM3U', '#EXT-X-TARGETDURATION:2', ...lines, ''].join('\n'),
});

/** A server that does with each connection what it is told. */
export async function tcpServer(
  onConnection: (socket: Socket) => void,
): Promise<{ port: number; connections: () => number }> {
  let count = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    count++;
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  const port = await listening(server);
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port, connections: () => count };
}
