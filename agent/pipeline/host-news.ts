import type { HostNews, HostRest } from '../../common/protocol/agent-link.ts';

/** In one message; the rest follows with the next. */
const MOST_PER_MESSAGE = 300;

/** Rests that are remembered for new threads; what ended long ago is forgotten first. */
const MOST_KNOWN = 10_000;

/** How long hosts are to be left alone, so that a capture thread that takes the place of another one knows it, too. */
export class KnownRests {
  readonly #now: () => number;
  readonly #rests = new Map<string, HostRest>();

  /** @param now ms of the coordinator's clock, as the rests are dated */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The newest of each host counts; one that is over says that the host answers again. */
  add(rests: readonly HostRest[]): void {
    for (const rest of rests) {
      const key = `${rest.kind} ${rest.host}`;
      this.#rests.delete(key);
      if (rest.until > this.#now()) this.#rests.set(key, rest);
    }
    if (this.#rests.size > MOST_KNOWN) this.#forget();
  }

  /** Those that last. */
  present(): HostRest[] {
    return [...this.#rests.values()].filter(({ until }) => until > this.#now());
  }

  #forget(): void {
    for (const [key, { until }] of this.#rests) if (until <= this.#now()) this.#rests.delete(key);
    for (const key of [...this.#rests.keys()].slice(0, this.#rests.size - MOST_KNOWN)) this.#rests.delete(key);
  }
}

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
