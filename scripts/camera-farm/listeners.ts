import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { AppError, codeOf } from '../../common/runtime/errors.ts';

/** One port on many loopback addresses. */
interface Listeners {
  port: number;
  /** Ends every connection and waits until all of them have closed. */
  stop(): Promise<void>;
}

// A free port on the first address may be taken on another one; each try asks for a new one.
const PORT_TRIES = 10;

export async function listenOnAll(
  addresses: readonly string[],
  port: number,
  onConnection: (socket: Socket, address: string) => void,
): Promise<Listeners> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listenOnce(addresses, port, onConnection);
    } catch (error) {
      if (port === 0 && codeOf(error) === 'EADDRINUSE' && attempt < PORT_TRIES) continue;
      throw new AppError('FARM_LISTEN', adviceFor(codeOf(error), addresses, port), { cause: error });
    }
  }
}

async function listenOnce(
  addresses: readonly string[],
  wanted: number,
  onConnection: (socket: Socket, address: string) => void,
): Promise<Listeners> {
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  const stop = async () => {
    for (const server of servers) server.close();
    const closed = [...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  };
  let port = wanted;
  try {
    for (const address of addresses) {
      const server = createServer({ noDelay: true }, (socket) => {
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
        onConnection(socket, address);
      });
      servers.push(server);
      port = await listen(server, address, port);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, stop };
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 1024 }, () => {
      server.removeListener('error', reject);
      resolve((server.address() as { port: number }).port);
    });
  });
}

function adviceFor(code: string | undefined, addresses: readonly string[], port: number): string {
  if (code === 'EADDRNOTAVAIL')
    return `The farm needs the addresses ${addresses[0]} to ${addresses.at(-1)}, which this machine does not have. Linux has all of 127.0.0.0/8; elsewhere add them to the loopback interface.`;
  if (code === 'EMFILE')
    return `The farm needs ${addresses.length} listening sockets; raise the limit of open files (ulimit -n).`;
  return `The farm could not listen on port ${port} of ${addresses[0]} to ${addresses.at(-1)} (${code}); choose another port, or 0 for a free one.`;
}
