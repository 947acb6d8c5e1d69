import type { HostNews, HostRest } from '../../common/protocol/agent-link.ts';

/** In one message; the rest follows with the next. */
const MOST_PER_MESSAGE = 300;

/** What the capture threads found out about hosts, kept until the coordinator has it. The newest of each host counts. */
export class HostNewsBox {
  readonly #rests = new Map<string, HostRest>();
  readonly #addresses = new Map<string, HostNews['addresses'][number]>();
  #sent: HostNews = { rests: [], addresses: [] };

  add({ rests, addresses }: HostNews): void {
    for (const rest of rests) this.#rests.set(`${rest.kind} ${rest.host}`, rest);
    for (const entry of addresses) this.#addresses.set(entry.host, entry);
  }

  /** To be sent now; `delivered` when it has arrived. `undefined` where there is nothing. */
  peek(): HostNews | undefined {
    if (this.#rests.size === 0 && this.#addresses.size === 0) return undefined;
    this.#sent = {
      rests: [...this.#rests.values()].slice(0, MOST_PER_MESSAGE),
      addresses: [...this.#addresses.values()].slice(0, MOST_PER_MESSAGE),
    };
    return this.#sent;
  }

  /** What was peeked at last has arrived; what changed since is kept. */
  delivered(): void {
    for (const rest of this.#sent.rests) {
      const key = `${rest.kind} ${rest.host}`;
      if (this.#rests.get(key) === rest) this.#rests.delete(key);
    }
    for (const entry of this.#sent.addresses) {
      if (this.#addresses.get(entry.host) === entry) this.#addresses.delete(entry.host);
    }
    this.#sent = { rests: [], addresses: [] };
  }
}
