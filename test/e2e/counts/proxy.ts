import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { BatchRecorder } from './batch-recorder.ts';
import type { RecordedBatch } from './batch-recorder.ts';

/**
 * What the line to the coordinator does. `open`: works. `refused`: connections break and new ones are refused at once, as by a
 * closed port. `silent`: nothing arrives any more and nobody is told, as when a router loses its power: connections stay
 * half open, those of before for good, and new ones are taken and never answered.
 */
export type LineState = 'open' | 'refused' | 'silent';

/** An agent's line to the coordinator, which tests cut and mend. It keeps every batch that passes. */
export class Line {
  readonly batches: RecordedBatch[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Port of the coordinator now; another one after a restart. */
  readonly #target: () => number;
  #state: LineState = 'open';

  constructor(target: () => number) {
    this.#target = target;
    this.#server = createServer((socket) => this.#take(socket));
  }

  async listen(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('The line does not listen.');
    return `http://127.0.0.1:${address.port}`;
  }

  set(state: LineState): void {
    this.#state = state;
    if (state === 'refused') for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.#server.close(done));
  }

  #take(client: Socket): void {
    this.#keep(client);
    if (this.#state === 'refused') return void client.destroy();
    // Swallowed: its connection is open and nobody is at the other end.
    if (this.#state === 'silent') return void client.resume();
    const server = connect(this.#target(), '127.0.0.1');
    this.#keep(server);
    const recorder = new BatchRecorder((batch) => this.batches.push(batch));
    let isDead = false;
    const pass = (from: Socket, to: Socket, look?: (chunk: Buffer) => void): void => {
      from.on('data', (chunk: Buffer) => {
        isDead ||= this.#state === 'silent';
        if (isDead) return;
        look?.(chunk);
        to.write(chunk);
      });
      // A half-open end hears nothing of what happens to the other.
      from.on('close', () => isDead || this.#state === 'silent' || to.destroy());
    };
    pass(client, server, (chunk) => recorder.push(chunk));
    pass(server, client);
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
