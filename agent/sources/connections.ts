import { Client } from 'undici';
import type { buildConnector } from 'undici';

interface Idle {
  origin: string;
  client: Client;
  /** Monotonic ms. */
  since: number;
}

export interface ConnectionOptions {
  connect: buildConnector.connector;
  /** A connection unused for so long is closed. */
  idleMs: number;
  /** Idle connections kept over all origins; beyond it the longest unused is closed (file descriptors are finite). */
  maxIdle: number;
}

/**
 * Keep-alive connections by origin. One undici client is one connection with one request at a time; how many there are for a
 * host is decided by the host limiter. An origin without connections takes no memory.
 */
export class Connections {
  readonly #options: ConnectionOptions;
  /** Per origin, longest unused first. */
  readonly #idleOf = new Map<string, Idle[]>();
  /** Over all origins, in the order in which they became idle. */
  readonly #idle = new Set<Idle>();
  readonly #busy = new Set<Client>();

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  get idle(): number {
    return this.#idle.size;
  }

  get busy(): number {
    return this.#busy.size;
  }

  get origins(): number {
    return this.#idleOf.size;
  }

  take(origin: string): Client {
    const list = this.#idleOf.get(origin);
    // The one used last: its socket is the likeliest to be still open.
    const entry = list?.pop();
    let client = entry?.client;
    if (entry) this.#forget(entry, list!);
    client ??= this.#open(origin);
    this.#busy.add(client);
    return client;
  }

  give(origin: string, client: Client, now: number): void {
    this.#busy.delete(client);
    if (client.closed || client.destroyed) return;
    const entry: Idle = { origin, client, since: now };
    const list = this.#idleOf.get(origin);
    if (list) list.push(entry);
    else this.#idleOf.set(origin, [entry]);
    this.#idle.add(entry);
    if (this.#idle.size > this.#options.maxIdle) this.#closeOldest();
  }

  /** For a client whose request failed or was cut off: what is left on its socket is not trusted. */
  discard(client: Client): void {
    this.#busy.delete(client);
    void client.destroy().catch(() => {});
  }

  sweep(now: number): void {
    for (const entry of this.#idle) {
      if (now - entry.since < this.#options.idleMs) return;
      this.#closeOldest();
    }
  }

  async close(): Promise<void> {
    const clients = [...[...this.#idle].map((entry) => entry.client), ...this.#busy];
    this.#idle.clear();
    this.#idleOf.clear();
    this.#busy.clear();
    await Promise.all(clients.map((client) => client.destroy().catch(() => {})));
  }

  #open(origin: string): Client {
    return new Client(origin, {
      connect: this.#options.connect,
      // The whole exchange has one deadline of ours; undici's two timers a request would only cost.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: this.#options.idleMs,
      keepAliveMaxTimeout: this.#options.idleMs,
      maxHeaderSize: 16_384,
    });
  }

  #closeOldest(): void {
    const [entry] = this.#idle;
    if (!entry) return;
    const list = this.#idleOf.get(entry.origin)!;
    list.shift();
    this.#forget(entry, list);
    void entry.client.destroy().catch(() => {});
  }

  #forget(entry: Idle, list: Idle[]): void {
    this.#idle.delete(entry);
    if (list.length === 0) this.#idleOf.delete(entry.origin);
  }
}
