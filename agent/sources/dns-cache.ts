import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock } from '../../common/runtime/clock.ts';
import { codeOf } from '../../common/runtime/errors.ts';
import type { Lookup } from './egress.ts';
import { HostsFile, modifiedAt } from './hosts-file.ts';

export interface DnsCacheOptions {
  clock: Clock;
  /** `address` or `address:port`; default: those of the machine. */
  servers?: readonly string[];
  hostsFile?: string;
  /** Names remembered at most; the one longest unused goes first. */
  maxNames?: number;
  /** Told of every answer of a server, also of one that says the same as before. */
  onResolved?: (host: string, addresses: readonly string[]) => void;
}

interface Known {
  addresses: LookupAddress[];
  /** Of the answer "there is no such name". */
  code?: string;
  /** Until when it is believed, and when a server said so; monotonic ms. */
  until: number;
  knownAt: number;
}

// A TTL of 0 would mean a question for each connection; an hour bounds how long a camera that moved is missed.
const LEAST_TTL_MS = 5_000;
const MOST_TTL_MS = 3_600_000;
const NEGATIVE_TTL_MS = 10_000;
/** While no server answers, what was known lately is better than nothing. */
const STALE_MS = 3_600_000;
/** Of the same question to a server that did not answer. */
const AGAIN_MS = 5_000;
const QUERY = { timeout: 1_500, tries: 2 };
/** Home routers drop what comes in hundreds. */
const MOST_QUESTIONS = 64;
/** The system's resolver occupies a thread of four while it waits. */
const MOST_SYSTEM_QUESTIONS = 1;
/** How often the machine's own files are looked at. */
const LOOK_MS = 10_000;
const RESOLV_CONF = '/etc/resolv.conf';
const NOT_THERE = new Set(['ENOTFOUND', 'ENODATA']);

/**
 * Names to addresses, by c-ares instead of the thread pool's getaddrinfo, and remembered for their TTL. The hosts file comes
 * first; only names without a dot and `.local`, which need the machine's search list or mDNS, go to the system, one at a time.
 */
export class DnsCache {
  readonly #options: Required<Omit<DnsCacheOptions, 'servers'>>;
  readonly #servers: readonly string[] | undefined;
  #resolver = new Resolver(QUERY);
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<LookupAddress[]>>();
  readonly #questions = new Turns(MOST_QUESTIONS);
  readonly #systemQuestions = new Turns(MOST_SYSTEM_QUESTIONS);
  readonly #hosts: HostsFile;
  #lookedAt = -Infinity;
  #serversModified = modifiedAt(RESOLV_CONF);

  constructor({ servers, ...options }: DnsCacheOptions) {
    this.#options = { hostsFile: '/etc/hosts', maxNames: 20_000, onResolved: () => {}, ...options };
    this.#servers = servers;
    this.#hosts = new HostsFile(this.#options.hostsFile);
    if (servers) this.#resolver.setServers(servers);
  }

  get size(): number {
    return this.#known.size;
  }

  close(): void {
    this.#resolver.cancel();
  }

  /** In the shape of `dns.lookup` with `all`. */
  readonly lookup: Lookup = (hostname, { family }, callback) => {
    this.resolve(hostname).then(
      (addresses) => {
        const wanted = family === 4 || family === 6 ? addresses.filter((one) => one.family === family) : addresses;
        if (wanted.length > 0) callback(null, wanted);
        else callback(noAddress(hostname, 'ENODATA'), []);
      },
      (error: unknown) => callback(error as NodeJS.ErrnoException, []),
    );
  };

  /** IPv4 first. Rejects with the codes of `node:dns`. */
  async resolve(hostname: string): Promise<LookupAddress[]> {
    const name = hostname.toLowerCase().replace(/\.$/, '');
    const family = isIP(name);
    if (family > 0) return [{ address: name, family }];
    this.#followFiles();
    const own = this.#hosts.find(name);
    if (own) return own;
    const known = this.#known.get(name);
    if (known && known.until > this.#options.clock.monotonic()) {
      // Used last stands last.
      this.#known.delete(name);
      this.#known.set(name, known);
      return given(name, known);
    }
    let asking = this.#asking.get(name);
    if (!asking) {
      asking = this.#ask(name, known).finally(() => this.#asking.delete(name));
      this.#asking.set(name, asking);
    }
    return asking;
  }

  async #ask(name: string, before: Known | undefined): Promise<LookupAddress[]> {
    const now = () => this.#options.clock.monotonic();
    try {
      const { addresses, ttlMs } = await (isLocal(name) ? this.#askSystem(name) : this.#askServers(name));
      const until = now() + Math.min(MOST_TTL_MS, Math.max(LEAST_TTL_MS, ttlMs));
      this.#remember(name, { addresses, until, knownAt: now() });
      this.#options.onResolved(
        name,
        addresses.map(({ address }) => address),
      );
      return addresses;
    } catch (error) {
      const code = codeOf(error) ?? 'ESERVFAIL';
      const isStale = before !== undefined && before.addresses.length > 0 && now() < before.knownAt + STALE_MS;
      if (!NOT_THERE.has(code) && isStale) {
        this.#remember(name, { ...before, until: now() + AGAIN_MS });
        return before.addresses;
      }
      const until = now() + (NOT_THERE.has(code) ? NEGATIVE_TTL_MS : AGAIN_MS);
      this.#remember(name, { addresses: [], code, until, knownAt: now() });
      throw noAddress(name, code, error);
    }
  }

  async #askServers(name: string): Promise<{ addresses: LookupAddress[]; ttlMs: number }> {
    const resolver = this.#resolver;
    const answers = await this.#questions.run(() =>
      Promise.allSettled([resolver.resolve4(name, { ttl: true }), resolver.resolve6(name, { ttl: true })]),
    );
    const found = answers.flatMap((answer, index) =>
      answer.status === 'fulfilled' ? answer.value.map((one) => ({ ...one, family: index === 0 ? 4 : 6 })) : [],
    );
    if (found.length === 0) {
      const reasons = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as Error] : []));
      // That one of both is not there is no news; that a server did not answer is.
      throw reasons.find((reason) => !NOT_THERE.has(codeOf(reason) ?? '')) ?? reasons[0] ?? noAddress(name, 'ENODATA');
    }
    return {
      addresses: found.map(({ address, family }) => ({ address, family })),
      ttlMs: Math.min(...found.map(({ ttl }) => ttl)) * 1_000,
    };
  }

  async #askSystem(name: string): Promise<{ addresses: LookupAddress[]; ttlMs: number }> {
    const addresses = await this.#systemQuestions.run(
      () =>
        new Promise<LookupAddress[]>((resolve, reject) => {
          systemLookup(name, { all: true }, (error, found) => (error ? reject(error) : resolve(found)));
        }),
    );
    // The system does not tell the TTL.
    return { addresses, ttlMs: 60_000 };
  }

  #remember(name: string, known: Known): void {
    this.#known.delete(name);
    this.#known.set(name, known);
    if (this.#known.size <= this.#options.maxNames) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }

  /** c-ares reads the machine's servers once; another network brings others. */
  #followFiles(): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = now;
    this.#hosts.refresh();
    if (this.#servers) return;
    const modified = modifiedAt(RESOLV_CONF);
    if (Object.is(modified, this.#serversModified)) return;
    this.#serversModified = modified;
    this.#resolver = new Resolver(QUERY);
  }
}

const isLocal = (name: string): boolean => !name.includes('.') || name.endsWith('.local');

function given(name: string, { addresses, code }: Known): LookupAddress[] {
  if (code !== undefined) throw noAddress(name, code);
  return addresses;
}

function noAddress(name: string, code: string, cause?: unknown): NodeJS.ErrnoException {
  // What went wrong with a server must not read as if the camera had refused.
  const own = NOT_THERE.has(code) ? code : 'ESERVFAIL';
  return Object.assign(new Error(`The name ${name} has no address (${code}).`, { cause }), { code: own });
}

/** So many at once; the others wait in line. */
class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#free = most;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((go) => this.#waiting.push(go));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
