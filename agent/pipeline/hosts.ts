import { TakedownList } from '../../common/domain/takedown.ts';
import type { Takedown } from '../../common/domain/takedown.ts';
import type { EncodedFrame } from '../../common/domain/frame.ts';
import type { Assignment, HostBudget, HostNews, HostRest } from '../../common/protocol/agent-link.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { AppError, codeOf } from '../../common/runtime/errors.ts';
import { DnsCache } from '../sources/dns-cache.ts';
import { HostBreaker } from '../sources/host-breaker.ts';
import { HostLimiter } from '../sources/host-limiter.ts';
import { HostRests } from '../sources/host-rests.ts';
import { Manners, PUT_OFF } from '../sources/manners.ts';
import type { FetchRequest } from '../sources/source.ts';

export const USUAL_BUDGET = { concurrency: 2, minDelayMs: 0 };
/** What is taken down is looked at again after this time, should nobody have called its camera off. */
const TAKEN_DOWN_MS = 300_000;
const MOST_TOLD_NAMES = 20_000;
/** A host with fewer cameras is left to the back-off of each. */
const LEAST_FAILURES = 5;
const MOST_FAILURES = 50;
/** Failures that are the host's and not one camera's. */
const HOST_FAILURES = new Set(['SOURCE_TIMEOUT', 'SOURCE_REFUSED', 'SOURCE_INTERRUPTED', 'SOURCE_DNS', 'SOURCE_TLS']);

type Fetch = (request: FetchRequest) => Promise<EncodedFrame>;

/**
 * Everything that one capture thread knows of hosts: what it may ask of them and how often, which rest, which fail, where they
 * are. What others should know is collected until somebody takes it.
 */
export class Hosts {
  readonly limiter: HostLimiter;
  readonly breaker: HostBreaker;
  readonly manners: Manners;
  readonly dns: DnsCache;
  readonly #clock: Clock;
  readonly #rests: HostRests;
  readonly #budgets = new Map<string, HostBudget>();
  /** Cameras that are captured here, by host. */
  readonly #cameras = new Map<string, number>();
  /** Cameras whose way leads over another host that rests, with the monotonic ms until when. */
  readonly #putOff = new Map<number, number>();
  readonly #restNews = new Map<string, HostRest>();
  readonly #addressNews = new Map<string, string[]>();
  /** What was said of a name's addresses last. */
  readonly #told = new Map<string, string>();

  constructor({ clock, dnsServers }: { clock: Clock; dnsServers?: readonly string[] | undefined }) {
    this.#clock = clock;
    this.limiter = new HostLimiter({ ...USUAL_BUDGET, clock });
    this.#rests = new HostRests({ clock, onRest: (host, ms) => this.#note(host, 'asked', ms) });
    this.breaker = new HostBreaker({
      ...{ clock, firstMs: 30_000, ceilingMs: 3_600_000 },
      // All of them where they are few: a host whose every second camera is dead is well.
      failures: (host) => Math.min(MOST_FAILURES, Math.max(LEAST_FAILURES, this.#cameras.get(host) ?? 0)),
      onChange: (host, ms) => this.#note(host, 'failing', ms),
    });
    this.manners = new Manners({ rests: this.#rests, clock });
    this.dns = new DnsCache({
      clock,
      ...(dnsServers && { servers: dnsServers }),
      onResolved: (host, addresses) => this.#resolved(host, addresses),
    });
  }

  concurrencyOf(host: string): number {
    return (this.#budgets.get(host) ?? USUAL_BUDGET).concurrency;
  }

  setBudget(budget: HostBudget): void {
    this.#budgets.set(budget.host, budget);
    this.limiter.setBudget(budget.host, budget);
    if (budget.rest) this.learn({ host: budget.host, ...budget.rest });
  }

  /** No camera of it is left here. */
  forgetBudget(host: string): void {
    this.#budgets.delete(host);
    this.limiter.setBudget(host, undefined);
  }

  setTakedowns(takedowns: readonly Takedown[]): void {
    this.manners.takedowns = new TakedownList(takedowns);
  }

  /** What an agent found, perhaps this one in an earlier life. */
  learn({ host, kind, until }: HostRest): void {
    const ms = until - this.#clock.now();
    if (ms <= 0) return;
    if (kind === 'asked') this.#rests.told(host, ms);
    else this.breaker.told(host, ms);
  }

  /** The camera's host counts under the name that the coordinator gave it. */
  begin({ host, source }: Assignment): void {
    this.#cameras.set(host, (this.#cameras.get(host) ?? 0) + 1);
    const name = URL.canParse(source.url) ? new URL(source.url).hostname.replace(/^\[|\]$/g, '') : '';
    if (name === '' || this.manners.keyOf(name) === host) return;
    this.manners.setKey(name, host);
    this.limiter.setKey(name, host);
  }

  end({ host, cameraId }: Assignment): void {
    this.#putOff.delete(cameraId);
    const left = (this.#cameras.get(host) ?? 1) - 1;
    if (left > 0) this.#cameras.set(host, left);
    else this.#cameras.delete(host);
  }

  /** Whether nothing more must come of this camera. */
  isTakenDown({ source }: Assignment): boolean {
    return this.manners.takedowns.against(source.url) !== undefined;
  }

  /** How long the camera must not be asked, ms: its host's own wishes, and those of the host that it last led to. */
  restMs(assignment: Assignment): number {
    if (this.isTakenDown(assignment)) return TAKEN_DOWN_MS;
    const putOffMs = (this.#putOff.get(assignment.cameraId) ?? 0) - this.#clock.monotonic();
    if (putOffMs <= 0) this.#putOff.delete(assignment.cameraId);
    return Math.max(0, putOffMs, this.#rests.waitMs(assignment.host));
  }

  /** The same with the breaker. 0 obliges to try: see `HostBreaker.waitMs`. */
  waitMs(assignment: Assignment): number {
    return this.restMs(assignment) || this.breaker.waitMs(assignment.host);
  }

  /** `fetch`, with the breaker told what became of it. */
  watched(assignment: Assignment, fetch: Fetch): Fetch {
    const { host } = assignment;
    return async (request) => {
      try {
        const frame = await fetch(request);
        this.breaker.succeeded(host);
        return frame;
      } catch (error) {
        this.judge(assignment, error, request.signal?.aborted ?? false);
        throw error;
      }
    };
  }

  /** Since the last call. */
  takeNews(): HostNews {
    const rests = [...this.#restNews.values()];
    const addresses = [...this.#addressNews].map(([host, known]) => ({ host, addresses: known }));
    this.#restNews.clear();
    this.#addressNews.clear();
    return { rests, addresses };
  }

  close(): void {
    this.dns.close();
  }

  /** Tells the breaker whose failure this is. */
  judge({ host, cameraId }: Assignment, error: unknown, wasStopped: boolean): void {
    const code = codeOf(error) ?? '';
    const { httpStatus: status, restMs } = error instanceof AppError ? error.details : {};
    if (code === PUT_OFF && typeof restMs === 'number') this.#putOff.set(cameraId, this.#clock.monotonic() + restMs);
    if (wasStopped || code === PUT_OFF || status === 429 || status === 503) return this.breaker.abandoned(host);
    if (HOST_FAILURES.has(code) || (typeof status === 'number' && status >= 500))
      return this.breaker.failed(host, cameraId);
    // It answered, whatever it said; of other failures nobody knows whose they are.
    if (typeof status === 'number') this.breaker.succeeded(host);
    else this.breaker.abandoned(host);
  }

  #note(host: string, kind: HostRest['kind'], ms: number): void {
    this.#restNews.set(`${kind} ${host}`, { host, kind, until: Math.round(this.#clock.now() + ms) });
  }

  #resolved(host: string, addresses: readonly string[]): void {
    const known = addresses.toSorted().slice(0, 16);
    const text = known.join(' ');
    if (this.#told.get(host) === text) return;
    if (this.#told.size >= MOST_TOLD_NAMES) this.#told.clear();
    this.#told.set(host, text);
    this.#addressNews.set(host, known);
  }
}
