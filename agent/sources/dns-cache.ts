import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import type { Clock } from '../../common/runtime/clock.ts';
import { codeOf } from '../../common/runtime/errors.ts';
import type { Lookup } from './egress.ts';

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
  /** Monotonic ms. */
  until: number;
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
const HOSTS_LOOK_MS = 10_000;
const NOT_THERE = new Set(['ENOTFOUND', 'ENODATA']);

/**
 * Names to addresses, by c-ares instead of the thread pool's getaddrinfo, and remembered for their TTL. The hosts file comes
 * first; only names without a dot and `.local`, which need the machine's search list or mDNS, go to the system, one at a time.
 */
export class DnsCache {
  readonly #options: Required<Omit<DnsCacheOptions, 'servers'>>;
  readonly #resolver = new Resolver(QUERY);
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<LookupAddress[]>>();
  readonly #questions = new Turns(MOST_QUESTIONS);
  readonly #systemQuestions = new Turns(MOST_SYSTEM_QUESTIONS);
  #hosts = new Map<string, LookupAddress[]>();
  #hostsRead = { at: -Infinity, modified: NaN };

  constructor({ servers, ...options }: DnsCacheOptions) {
    this.#options = { hostsFile: '/etc/hosts', maxNames: 20_000, onResolved: () => {}, ...options };
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
    const own = this.#fromHosts(name);
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
      this.#remember(name, { addresses, until: now() + Math.min(MOST_TTL_MS, Math.max(LEAST_TTL_MS, ttlMs)) });
      this.#options.onResolved(
        name,
        addresses.map(({ address }) => address),
      );
      return addresses;
    } catch (error) {
      const code = codeOf(error) ?? 'ESERVFAIL';
      if (NOT_THERE.has(code)) this.#remember(name, { addresses: [], code, until: now() + NEGATIVE_TTL_MS });
      else if (before && before.addresses.length > 0 && now() < before.until + STALE_MS) {
        this.#known.set(name, { ...before, until: Math.max(before.until, now() + AGAIN_MS) });
        return before.addresses;
      }
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

  #fromHosts(name: string): LookupAddress[] | undefined {
    const now = this.#options.clock.monotonic();
    if (now - this.#hostsRead.at > HOSTS_LOOK_MS) this.#readHosts(now);
    return this.#hosts.get(name) ?? (name === 'localhost' || name.endsWith('.localhost') ? LOOPBACK : undefined);
  }

  /** A small local file, looked at every ten seconds and read when it changed. */
  #readHosts(now: number): void {
    try {
      const modified = statSync(this.#options.hostsFile).mtimeMs;
      if (modified !== this.#hostsRead.modified)
        this.#hosts = parseHosts(readFileSync(this.#options.hostsFile, 'utf8'));
      this.#hostsRead = { at: now, modified };
    } catch {
      this.#hosts = new Map();
      this.#hostsRead = { at: now, modified: NaN };
    }
  }
}

const LOOPBACK: LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

const isLocal = (name: string): boolean => !name.includes('.') || name.endsWith('.local');

function given(name: string, { addresses, code }: Known): LookupAddress[] {
  if (code !== undefined) throw noAddress(name, code);
  return addresses;
}

function noAddress(name: string, code: string, cause?: unknown): NodeJS.ErrnoException {
  return Object.assign(new Error(`The name ${name} has no address (${code}).`, { cause }), { code });
}

export function parseHosts(text: string): Map<string, LookupAddress[]> {
  const hosts = new Map<string, LookupAddress[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const family = isIP(address);
    if (family === 0) continue;
    for (const name of names) {
      const addresses = hosts.get(name.toLowerCase()) ?? [];
      hosts.set(name.toLowerCase(), addresses);
      // IPv4 first, otherwise in the order of the file.
      addresses.splice(family === 4 ? addresses.filter((one) => one.family === 4).length : addresses.length, 0, {
        address,
        family,
      });
    }
  }
  return hosts;
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
