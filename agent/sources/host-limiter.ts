import type { Clock } from '../../common/runtime/clock.ts';
import { onAbort } from './abort-groups.ts';

export interface HostBudget {
  /** Requests under way at the same time. */
  concurrency: number;
  /** Least time between the beginnings of two requests, ms. */
  minDelayMs: number;
}

interface Waiter {
  go(): void;
}

interface HostState {
  active: number;
  /** Monotonic ms before which no request may begin. */
  notBefore: number;
  queue: Waiter[];
  timer: boolean;
}

/**
 * Politeness per host (name without port): how many requests at once and how long between two. First come, first served.
 * A host that nobody asks for takes no memory.
 */
export class HostLimiter {
  readonly #clock: Clock;
  readonly #usual: HostBudget;
  readonly #budgets = new Map<string, HostBudget>();
  readonly #hosts = new Map<string, HostState>();
  #sweepAt = 64;

  constructor({ clock, ...usual }: HostBudget & { clock: Clock }) {
    this.#clock = clock;
    this.#usual = usual;
  }

  /** Hosts that take memory now. */
  get size(): number {
    return this.#hosts.size;
  }

  /** This agent's part of a host's budget; `undefined` goes back to the usual one. */
  setBudget(host: string, budget: HostBudget | undefined): void {
    if (budget) this.#budgets.set(host, budget);
    else this.#budgets.delete(host);
    const state = this.#hosts.get(host);
    if (state) this.#pump(host, state);
  }

  /** Takes a slot at once, or says that one has to wait for it. */
  tryAcquire(host: string): boolean {
    const state = this.#stateOf(host);
    if (state.queue.length > 0 || !this.#mayStart(host, state)) return false;
    this.#begin(host, state);
    return true;
  }

  /** Waits for a slot; rejects with the signal's reason when it aborts first. Every slot must be given back by `release`. */
  acquire(host: string, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    if (this.tryAcquire(host)) return Promise.resolve();
    const state = this.#stateOf(host);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        go: () => {
          withdraw?.();
          resolve();
        },
      };
      const withdraw = signal
        ? onAbort(signal, (reason) => {
            state.queue = state.queue.filter((other) => other !== waiter);
            reject(reason as Error);
          })
        : undefined;
      state.queue.push(waiter);
      this.#pump(host, state);
    });
  }

  release(host: string): void {
    const state = this.#hosts.get(host);
    if (!state) return;
    state.active--;
    this.#pump(host, state);
    if (this.#isIdle(state)) this.#hosts.delete(host);
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

  #begin(host: string, state: HostState): void {
    state.active++;
    const { minDelayMs } = this.#budgetOf(host);
    if (minDelayMs > 0) state.notBefore = this.#clock.monotonic() + minDelayMs;
  }

  #pump(host: string, state: HostState): void {
    while (state.queue.length > 0 && this.#mayStart(host, state)) {
      this.#begin(host, state);
      state.queue.shift()!.go();
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
