import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress, LookupOptions } from 'node:dns';
import { isIP } from 'node:net';
import { buildConnector } from 'undici';
import { AppError } from '../../common/runtime/errors.ts';
import { inRange, parseAddress, parseRange } from './addresses.ts';
import type { Range } from './addresses.ts';
import { sourceError } from './errors.ts';

/** Ranges that are no public host's (IANA's special-purpose registries), with the word that stands in the evidence. */
const REFUSED: readonly (readonly [string, string])[] = [
  ['0.0.0.0/8', 'unspecified'],
  ['10.0.0.0/8', 'private'],
  ['100.64.0.0/10', 'carrier-grade NAT'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local'],
  ['172.16.0.0/12', 'private'],
  ['192.0.0.0/24', 'reserved'],
  ['192.0.2.0/24', 'documentation'],
  ['192.88.99.0/24', '6to4 relay'],
  ['192.168.0.0/16', 'private'],
  ['198.18.0.0/15', 'benchmarking'],
  ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved'],
  ['::/128', 'unspecified'],
  ['::1/128', 'loopback'],
  ['fc00::/7', 'private'],
  ['fe80::/10', 'link-local'],
  ['ff00::/8', 'multicast'],
  ['2001::/23', 'reserved'],
  ['2001:db8::/32', 'documentation'],
  ['2002::/16', '6to4'],
  ['3fff::/20', 'documentation'],
];

const range = (text: string): Range => {
  const parsed = parseRange(text);
  if (!parsed) {
    throw new AppError(
      'EGRESS_RANGE_INVALID',
      `"${text}" is no address range; write it like 10.0.0.0/8, 192.168.1.7 or fd00::/8.`,
    );
  }
  return parsed;
};

const REFUSED_RANGES = REFUSED.map(([text, word]) => ({ range: range(text), word }));
const GLOBAL_UNICAST_V6 = range('2000::/3');

export type Lookup = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface EgressOptions {
  /** Ranges that the operator allows although they are not public, e.g. `['127.0.0.0/8', 'fd00::/8']`. */
  allow?: readonly string[];
  lookup?: Lookup;
  /** Why nothing must be asked of this host, whatever its address (`'taken down: …'`). */
  reasonAgainstHost?: (host: string) => string | undefined;
}

/** Says which addresses this agent may contact. It judges addresses, never names: a name is judged by what it resolves to. */
export class EgressRule {
  readonly #allowed: readonly Range[];
  readonly #lookup: Lookup;
  readonly #reasonAgainstHost: (host: string) => string | undefined;

  constructor({ allow = [], lookup = systemLookup as Lookup, reasonAgainstHost }: EgressOptions = {}) {
    this.#allowed = allow.map(range);
    this.#lookup = lookup;
    this.#reasonAgainstHost = reasonAgainstHost ?? (() => undefined);
  }

  /** Why this address must not be contacted (`'loopback'`, `'private'`, …); `undefined` when it may be. */
  reasonAgainst(text: string): string | undefined {
    const address = parseAddress(text);
    if (!address) return 'not an address';
    if (this.#allowed.some((allowed) => inRange(address, allowed))) return undefined;
    const refused = REFUSED_RANGES.find((entry) => inRange(address, entry.range));
    if (refused) return refused.word;
    return address.length === 16 && !inRange(address, GLOBAL_UNICAST_V6) ? 'not public' : undefined;
  }

  /** Throws `SOURCE_BLOCKED` unless the address may be contacted. */
  check(host: string, address: string): void {
    const wish = this.#reasonAgainstHost(host);
    if (wish !== undefined) throw unwanted(host, wish);
    const reason = this.reasonAgainst(address);
    if (reason !== undefined) throw blocked(host, address, reason);
  }

  /**
   * For `net.connect({ lookup })`: the socket connects to what is handed back here and to nothing else, so a name that
   * resolves differently the next time gains nothing.
   */
  readonly lookup = (
    hostname: string,
    options: LookupOptions,
    callback: (error: Error | null, address: string | LookupAddress[], family?: number) => void,
  ): void => {
    const wish = this.#reasonAgainstHost(hostname);
    if (wish !== undefined) return callback(unwanted(hostname, wish), []);
    this.#lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      const permitted = addresses.filter(({ address }) => this.reasonAgainst(address) === undefined);
      const first = permitted[0];
      if (!first) {
        const address = addresses[0]?.address ?? '';
        return callback(blocked(hostname, address, this.reasonAgainst(address) ?? 'no address'), []);
      }
      if (options.all) callback(null, permitted);
      else callback(null, first.address, first.family);
    });
  };
}

const unwanted = (host: string, reason: string): AppError =>
  sourceError('SOURCE_BLOCKED', `${host} must not be asked (${reason}).`, { host, reason });

function blocked(host: string, address: string, reason: string): AppError {
  return sourceError(
    'SOURCE_BLOCKED',
    `${host} is at ${address || 'no address'} (${reason}), which this agent may not contact; to allow it add its range to sources.egress.allow.`,
    { host, address, reason },
  );
}

export interface ConnectorOptions {
  connectTimeoutMs: number;
  /** Accept certificates that cannot be verified (many cameras sign their own). */
  allowInvalidCertificates: boolean;
}

/** undici's `connect`, behind the rule. */
export function createConnector(rule: EgressRule, options: ConnectorOptions): buildConnector.connector {
  const connect = buildConnector({
    timeout: options.connectTimeoutMs,
    rejectUnauthorized: !options.allowInvalidCertificates,
    lookup: rule.lookup as never,
  });
  return (target, callback) => {
    try {
      // Sockets do not look up literal addresses, so those are judged here. URL parsing has already brought decimal, octal
      // and hexadecimal spellings into this form.
      if (isIP(target.hostname)) rule.check(target.hostname, target.hostname);
    } catch (error) {
      // Not in the same tick: undici asks for its socket only after this call has returned.
      return void queueMicrotask(() => callback(error as Error, null));
    }
    connect(target, callback);
  };
}
