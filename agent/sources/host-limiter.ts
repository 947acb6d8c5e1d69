import type { Clock } from '../../common/runtime/clock.ts';
import { onAbort } from './abort-groups.ts';

export interface HostBudget {
  /** Requests under way at the same time. */
  concurrency: number;
  /** Least time between the beginnings of two requests, ms. */
  minDelayMs: number;
}

interface Waiter {
  host: string;
  go(): void;
}

interface HostState {
  active: number;
  /** The same by the name under which they asked; only where several names are one host. */
  activeOf?: Map<string, number>;
  /** Monotonic ms before which no request may begin. */
  notBefore: number;
  queue: Waiter[];
  timer: boolean;
}

/**
 * Politeness per host (name without port): how many requests at once and how long between two. First come, first served.
 * Several names may be one host (`setKey`). A host that nobody asks for takes no memory.
 */
export class HostLimiter {
  readonly #clock: Clock;
  readonly #usual: HostBudget;
  readonly #budgets = new Map<string, HostBudget>();
  readonly #hosts = new Map<string, HostState>();
  readonly #keys = new Map<string, string>();
  #sweepAt = 64;

  constructor({ clock, ...usual }: HostBudget & { clock: Clock }) {
    this.#clock = clock;
    this.#usual = usual;
  }

  /** Hosts that take memory now. */
  get size(): number {
    return this.#hosts.size;
  }

  /** This agent's part of a host's budget; `undefined` goes back to the usual one. `host` is a key where several names are one. */
  setBudget(host: string, budget: HostBudget | undefined): void {
    if (budget) this.#budgets.set(host, budget);
    else this.#budgets.delete(host);
    const state = this.#hosts.get(host);
    if (state) this.#pump(host, state);
  }

  /** From now on this name counts as that host; `undefined`: as itself. What is under way and what waits goes with it. */
  setKey(host: string, key: string | undefined): void {
    const before = this.#keyOf(host);
    if (key === undefined || key === host) this.#keys.delete(host);
    else this.#keys.set(host, key);
    const after = this.#keyOf(host);
    const from = this.#hosts.get(before);
    if (before === after || !from) return;
    const to = this.#stateOf(after);
    const active = before === host && !from.activeOf ? from.active : (from.activeOf?.get(host) ?? 0);
    from.active -= active;
    from.activeOf?.delete(host);
    to.active += active;
    if (active > 0) (to.activeOf ??= new Map([[after, to.active - active]])).set(host, active);
    to.notBefore = Math.max(to.notBefore, from.notBefore);
    to.queue.push(...from.queue.filter((waiter) => waiter.host === host));
    from.queue = from.queue.filter((waiter) => waiter.host !== host);
    if (this.#isIdle(from)) this.#hosts.delete(before);
    this.#pump(after, to);
  }

  /** Takes a slot at once, or says that one has to wait for it. */
  tryAcquire(host: string): boolean {
    const key = this.#keyOf(host);
    const state = this.#stateOf(key);
    if (state.queue.length > 0 || !this.#mayStart(key, state)) return false;
    this.#begin(key, state, host);
    return true;
  }

  /** Waits for a slot; rejects with the signal's reason when it aborts first. Every slot must be given back by `release`. */
  acquire(host: string, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    if (this.tryAcquire(host)) return Promise.resolve();
    const key = this.#keyOf(host);
    const state = this.#stateOf(key);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        host,
        go: () => {
          withdraw?.();
          resolve();
        },
      };
      const withdraw = signal
        ? onAbort(signal, (reason) => {
            // Where it waits now: its host may have become another's meanwhile.
            const now = this.#hosts.get(this.#keyOf(host)) ?? state;
            now.queue = now.queue.filter((other) => other !== waiter);
            reject(reason as Error);
          })
        : undefined;
      state.queue.push(waiter);
      this.#pump(key, state);
    });
  }

  release(host: string): void {
    const key = this.#keyOf(host);
    const state = this.#hosts.get(key);
    if (!state) return;
    state.active--;
    if (state.activeOf) state.activeOf.set(host, (state.activeOf.get(host) ?? 1) - 1);
    this.#pump(key, state);
    if (this.#isIdle(state)) this.#hosts.delete(key);
  }

  #keyOf(host: string): string {
    const name = host.startsWith('[') ? host.slice(1, -1) : host;
    return this.#keys.get(name) ?? name;
  }

  #budgetOf(host: string): HostBudget {
    return this.#budgets.get(host) ?? this.#usual;
  }

  #stateOf(host: string): HostState {
    let state = this.#hosts.get(host);
    if (!state) {
      if (this.#hosts.size >= this.#sweepAt) this.#sweep();
      state = { active: 0, notBefore: -Infinity, queue: [], timer: false };
      this.#hosts.set(host, state);
    }
    return state;
  }

  #isIdle(state: HostState): boolean {
    return state.active === 0 && state.queue.length === 0 && state.notBefore <= this.#clock.monotonic();
  }

  /** A host whose delay was still running when its last request ended is forgotten here; doubling keeps the cost constant. */
  #sweep(): void {
    for (const [host, state] of this.#hosts) if (this.#isIdle(state)) this.#hosts.delete(host);
    this.#sweepAt = Math.max(64, this.#hosts.size * 2);
  }

  #mayStart(host: string, state: HostState): boolean {
    return state.active < this.#budgetOf(host).concurrency && state.notBefore <= this.#clock.monotonic();
  }

  #begin(key: string, state: HostState, host: string): void {
    state.active++;
    if (host !== key) state.activeOf ??= new Map([[key, state.active - 1]]);
    state.activeOf?.set(host, (state.activeOf.get(host) ?? 0) + 1);
    const { minDelayMs } = this.#budgetOf(key);
    if (minDelayMs > 0) state.notBefore = this.#clock.monotonic() + minDelayMs;
  }

  #pump(host: string, state: HostState): void {
    while (state.queue.length > 0 && this.#mayStart(host, state)) {
      const waiter = state.queue.shift()!;
      this.#begin(host, state, waiter.host);
      waiter.go();
    }
    if (state.queue.length > 0 && !state.timer && state.active < this.#budgetOf(host).concurrency) {
      state.timer = true;
      const wait = Math.max(1, Math.ceil(state.notBefore - this.#clock.monotonic()));
      void this.#clock.sleep(wait).then(() => {
        state.timer = false;
        this.#pump(host, state);
      });
    }
  }
}
