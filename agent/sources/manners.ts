import { TakedownList } from '../../common/domain/takedown.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { sourceError } from './errors.ts';
import { header } from './exchange.ts';
import type { HostRests } from './host-rests.ts';
import { parseRetryAfter } from './retry-after.ts';
import type { Target } from './target.ts';

/** An attempt that was not made, because the host asked to be left alone meanwhile: it is nobody's failure. */
export const PUT_OFF = 'SOURCE_PUT_OFF';

/**
 * What we must not ask for, and whom not now. One instance per worker thread; every request passes `mayAsk`, redirects and
 * playlists included, and every answer passes `answered`.
 */
export class Manners {
  readonly #rests: HostRests;
  readonly #clock: Clock;
  readonly #keys = new Map<string, string>();
  takedowns = new TakedownList();

  constructor({ rests, clock }: { rests: HostRests; clock: Clock }) {
    this.#rests = rests;
    this.#clock = clock;
  }

  /** Under which name a host is counted: several names of one address have one. Without brackets. */
  keyOf(host: string): string {
    const name = host.startsWith('[') ? host.slice(1, -1) : host;
    return this.#keys.get(name) ?? name;
  }

  /** `undefined`: under its own. */
  setKey(host: string, key: string | undefined): void {
    if (key === undefined || key === host) this.#keys.delete(host);
    else this.#keys.set(host, key);
  }

  /** Why nothing must be asked of this host, whatever the path; `undefined` where it may. */
  reasonAgainstHost(host: string): string | undefined {
    return reasonOf(this.takedowns.againstHost(host));
  }

  /** Throws `SOURCE_BLOCKED` or, where the host asked for rest, `SOURCE_PUT_OFF`: also where another one sent us to it. */
  mayAsk({ origin, path, host }: Target): void {
    const reason = this.takedowns.size > 0 ? reasonOf(this.takedowns.against(origin + path)) : undefined;
    if (reason !== undefined)
      throw sourceError('SOURCE_BLOCKED', `${host} is on the list of take-downs (${reason}).`, { host, reason });
    const restMs = Math.ceil(this.#rests.waitMs(this.keyOf(host)));
    if (restMs === 0) return;
    const message = `${host} asked to be left alone for another ${restMs} ms.`;
    throw new AppError(PUT_OFF, message, { details: { host, restMs } });
  }

  answered(host: string, status: number, rawHeaders: readonly Buffer[]): void {
    if (status !== 429 && status !== 503) return this.#rests.answered(this.keyOf(host));
    const retryAfter = parseRetryAfter(
      header(rawHeaders, 'retry-after'),
      this.#clock.now(),
      header(rawHeaders, 'date'),
    );
    this.#rests.asked(this.keyOf(host), status, retryAfter);
  }
}

const reasonOf = (takedown: { reason: string } | undefined): string | undefined =>
  takedown && (takedown.reason === '' ? 'taken down' : `taken down: ${takedown.reason}`);
