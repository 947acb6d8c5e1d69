import { connect, createServer, isIP } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { onAbort } from './abort-groups.ts';
import type { EgressRule } from './egress.ts';
import { fromTransport, sourceError } from './errors.ts';

export interface Upstream {
  host: string;
  port: number;
  egress: EgressRule;
  timeoutMs: number;
  signal: AbortSignal;
}

/**
 * A connection to a camera, to an address that the egress rule permits and to no other: the rule judges what the name resolved
 * to, and the socket connects to just that. Throws the `SOURCE_…` codes of errors.ts.
 */
export async function connectChecked({ host, port, egress, timeoutMs, signal }: Upstream): Promise<Socket> {
  signal.throwIfAborted();
  if (isIP(host)) egress.check(host, host);
  const socket = connect({ host, port, lookup: egress.lookup as never, noDelay: true });
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      settle();
      socket.destroy();
      reject(error as Error);
    };
    const timer = setTimeout(
      () =>
        fail(
          sourceError('SOURCE_TIMEOUT', `${host} did not accept a connection within ${timeoutMs} ms.`, {
            host,
            timeoutMs,
          }),
        ),
      timeoutMs,
    );
    const withdraw = onAbort(signal, fail);
    const settle = (): void => {
      clearTimeout(timer);
      withdraw();
    };
    socket.once('error', (error) => fail(fromTransport(error, host, false)));
    socket.once('connect', () => {
      settle();
      socket.removeAllListeners('error');
      // Nobody may be listening yet when the camera breaks off, and that must not end the thread; the relay asks `errored`.
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

/** What passes through a relay, looked at and changed on its way. Both may throw: the relay ends with that error. */
export interface Dialogue {
  /** From ffmpeg: what goes to the camera. */
  toCamera(chunk: Buffer): void;
  /** From the camera: what goes to ffmpeg. */
  toFfmpeg(chunk: Buffer): void;
}

export interface Ends {
  camera(bytes: Buffer): void;
  ffmpeg(bytes: Buffer): void;
  /** ffmpeg has what it needs: its input ends, while it may still say goodbye to the camera. */
  enough(): void;
}

const LINGER_MS = 1_000;

/**
 * Stands between one ffmpeg and one camera. It listens on loopback for exactly one connection; the camera's connection was
 * opened before, by us. Neither side learns of the other's address.
 */
export class Relay {
  readonly port: number;
  /** Rejects when the dialogue or the camera's connection fails, resolves when the camera has ended it. */
  readonly over: Promise<void>;
  readonly #server: Server;
  readonly #upstream: Socket;
  #client: Socket | undefined;
  #finish!: (error?: unknown) => void;
  /** Bytes from the camera. */
  received = 0;
  /** It was the camera that broke off. */
  endedByCamera = false;
  #isOver = false;
  #isEnough = false;

  private constructor(
    server: Server,
    upstream: Socket,
    host: string,
    dialogue: (ends: Ends, port: number) => Dialogue,
  ) {
    this.#server = server;
    this.#upstream = upstream;
    this.port = (server.address() as AddressInfo).port;
    this.over = new Promise((resolve, reject) => {
      this.#finish = (error) => (error === undefined ? resolve() : reject(error as Error));
    });
    this.over.catch(() => {}); // whoever waits for it hears of it; nobody has to
    const ends: Ends = {
      camera: (bytes) => void upstream.write(bytes),
      ffmpeg: (bytes) => this.#give(bytes),
      enough: () => this.#enough(),
    };
    const between = dialogue(ends, this.port);
    const guard = (step: () => void): void => {
      try {
        step();
      } catch (error) {
        this.#end(error);
      }
    };
    server.once('connection', (client) => {
      server.close();
      this.#client = client;
      client.setNoDelay(true);
      client.on('data', (chunk) => guard(() => between.toCamera(chunk)));
      client.on('drain', () => upstream.resume());
      client.on('error', () => {});
      client.once('close', () => this.#end());
    });
    upstream.on('data', (chunk) => {
      this.received += chunk.length;
      guard(() => between.toFfmpeg(chunk));
    });
    upstream.once('error', (error) => this.#end(fromTransport(error, host, this.received > 0)));
    // ffmpeg reads what is on its way, then the end.
    upstream.once('end', () => (this.endedByCamera ||= !this.#isOver));
    upstream.once('close', () => this.#end());
  }

  static async open(upstream: Socket, host: string, dialogue: (ends: Ends, port: number) => Dialogue): Promise<Relay> {
    const server = createServer();
    server.maxConnections = 1;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, '127.0.0.1', 1, resolve);
      });
      if (upstream.errored) throw fromTransport(upstream.errored, host, false);
    } catch (error) {
      server.close();
      upstream.destroy();
      throw error;
    }
    return new Relay(server, upstream, host, dialogue);
  }

  close(): void {
    this.#end();
    // A camera that does not take our last words is not waited for.
    setTimeout(() => this.#upstream.destroy(), LINGER_MS).unref();
  }

  #enough(): void {
    this.#isEnough = true;
    this.#client?.end();
  }

  #give(bytes: Buffer): void {
    if (this.#isEnough) return;
    // A decoder that is slower than the camera slows the camera down, instead of filling our memory.
    if (this.#client?.write(bytes) === false) this.#upstream.pause();
  }

  #end(error?: unknown): void {
    this.#isOver = true;
    this.#finish(error);
    this.#server.close();
    this.#client?.end();
    // ffmpeg may still send its TEARDOWN: that goes out before the end.
    this.#upstream.end();
    this.#upstream.destroySoon();
  }
}
