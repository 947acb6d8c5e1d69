import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress, LookupOptions } from 'node:dns';
import { isIP } from 'node:net';
import { buildConnector } from 'undici';
import { AppError } from '../runtime/errors.ts';
import { inRange, isatapTarget, parseAddress, parseRange } from './addresses.ts';
import type { Address, Range } from './addresses.ts';
import { GLOBAL_UNICAST_V6, SPECIAL_RANGES } from './special-ranges.ts';

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

const REFUSED = SPECIAL_RANGES.map(([text, word]) => ({ range: range(text), word }));
const GLOBAL_V6 = range(GLOBAL_UNICAST_V6);

function specialUseOf(address: Address): string | undefined {
  const special = REFUSED.find((entry) => inRange(address, entry.range));
  if (special) return special.word;
  return address.length === 16 && !inRange(address, GLOBAL_V6) ? 'not public' : undefined;
}

export type Lookup = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** An address that must not be contacted, or a host that must not be asked (then there is no address). */
export interface Refusal {
  host: string;
  address?: string;
  reason: string;
}

export interface AddressRuleOptions {
  /** Ranges that the operator allows although they are not public, e.g. `['127.0.0.0/8', 'fd00::/8']`. */
  allow?: readonly string[];
  lookup?: Lookup;
  /** Why nothing must be asked of this host, whatever its address (`'taken down: …'`). */
  reasonAgainstHost?: (host: string) => string | undefined;
  /** What is thrown instead of contacting it. */
  refuse: (refusal: Refusal) => AppError;
}

/** Says which addresses may be contacted for somebody who named a URL. It judges addresses, never names: a name is judged by what it resolves to. */
export class AddressRule {
  readonly #allowed: readonly Range[];
  readonly #lookup: Lookup;
  readonly #reasonAgainstHost: (host: string) => string | undefined;
  readonly #refuse: AddressRuleOptions['refuse'];

  constructor({ allow = [], lookup = systemLookup as Lookup, reasonAgainstHost, refuse }: AddressRuleOptions) {
    this.#allowed = allow.map(range);
    this.#lookup = lookup;
    this.#reasonAgainstHost = reasonAgainstHost ?? (() => undefined);
    this.#refuse = refuse;
  }

  /** Why this address must not be contacted (`'loopback'`, `'private'`, …); `undefined` when it may be. */
  reasonAgainst(text: string): string | undefined {
    const address = parseAddress(text);
    if (!address) return 'not an address';
    if (this.#allowed.some((allowed) => inRange(address, allowed))) return undefined;
    // Behind a public prefix a tunnel may end at an address of this site.
    const tunnel = isatapTarget(address);
    return specialUseOf(address) ?? (tunnel && specialUseOf(tunnel) && 'ISATAP');
  }

  /** Throws what `refuse` makes unless the address may be contacted. */
  check(host: string, address: string): void {
    const wish = this.#reasonAgainstHost(host);
    if (wish !== undefined) throw this.#refuse({ host, reason: wish });
    const reason = this.reasonAgainst(address);
    if (reason !== undefined) throw this.#refuse({ host, address, reason });
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
    if (wish !== undefined) return callback(this.#refuse({ host: hostname, reason: wish }), []);
    this.#lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      const permitted = addresses.filter(({ address }) => this.reasonAgainst(address) === undefined);
      const first = permitted[0];
      if (!first) {
        const address = addresses[0]?.address ?? '';
        const reason = this.reasonAgainst(address) ?? 'no address';
        return callback(this.#refuse({ host: hostname, address, reason }), []);
      }
      if (options.all) callback(null, permitted);
      else callback(null, first.address, first.family);
    });
  };
}

export interface ConnectorOptions {
  connectTimeoutMs: number;
  /** Accept certificates that cannot be verified (many cameras sign their own). */
  allowInvalidCertificates: boolean;
}

/** undici's `connect`, behind the rule. */
export function createConnector(
  rule: Pick<AddressRule, 'check' | 'lookup'>,
  options: ConnectorOptions,
): buildConnector.connector {
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
