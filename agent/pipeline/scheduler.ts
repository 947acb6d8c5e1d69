import type { Clock } from '../../common/runtime/clock.ts';
import { DueHeap } from './heap.ts';

/** Cameras that are due at once begin within this time of each other. */
const SPREAD_MS = 5_000;
/** What a camera waits for may be called off. */
const MOST_WAIT_MS = 300_000;

export interface Turn {
  readonly id: number;
  /** What politeness counts by. */
  readonly host: string;
  /** ms; may change between two turns. */
  intervalMs(): number;
  /** How long it must not run from now, ms; asked when it is due. 0: it is run. */
  waitMs?(): number;
  /** One attempt; must not throw. */
  run(): Promise<void>;
}

interface Entry {
  turn: Turn;
  /** Monotonic ms. */
  due: number;
  state: 'waiting' | 'queued' | 'running' | 'gone';
}

export interface SchedulerOptions {
  clock: Clock;
  /** Attempts under way at once. */
  concurrency: number;
  /** How many attempts of one host may be under way; the rest of them wait without taking a slot. */
  hostConcurrency(host: string): number;
  random?: () => number;
}

/**
 * Gives each camera its turn when it is due. A camera that misses turns makes up none of them; those that wait for a host or
 * for a slot go in the order in which they were due.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #entries = new Map<number, Entry>();
  readonly #heap = new DueHeap<Entry>();
  readonly #ready = new DueHeap<Entry>();
  readonly #hostQueues = new Map<string, DueHeap<Entry>>();
  readonly #hostActive = new Map<string, number>();
  readonly #random: () => number;
  #active = 0;
  #sleep: { until: number; cancel: AbortController } | undefined;
  #late = new Set<number>();

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * @param lastAttemptAgoMs how long ago somebody last tried this camera; `undefined`: never. Its turn comes at
   *   max(now, last attempt + interval), and cameras that are due already are spread.
   */
  add(turn: Turn, lastAttemptAgoMs: number | undefined): void {
    this.remove(turn.id);
    const interval = turn.intervalMs();
    const wait = lastAttemptAgoMs === undefined ? 0 : interval - lastAttemptAgoMs;
    const spread = this.#random() * Math.min(interval, SPREAD_MS);
    const due = this.#options.clock.monotonic() + (wait > 0 ? Math.min(wait, interval) : spread);
    const entry: Entry = { turn, due, state: 'waiting' };
    this.#entries.set(turn.id, entry);
    this.#heap.push(due, entry);
    this.#pump();
  }

  /** Makes these due now, where they wait for their turn; what is queued or under way goes on as it is. */
  hurry(ids: readonly number[]): void {
    const now = this.#options.clock.monotonic();
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry?.state !== 'waiting' || entry.due <= now) continue;
      entry.due = now;
      this.#heap.push(now, entry);
    }
    this.#pump();
  }

  remove(id: number): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.state = 'gone';
    this.#entries.delete(id);
    this.#late.delete(id);
  }

  /** Cameras that were late by more than half their interval since the last call. */
  takeLate(): number {
    const late = this.#late.size;
    this.#late.clear();
    return late;
  }

  stop(): void {
    for (const id of [...this.#entries.keys()]) this.remove(id);
    this.#sleep?.cancel.abort();
  }

  #pump(): void {
    const now = this.#options.clock.monotonic();
    while (this.#heap.nextDue <= now) {
      const due = this.#heap.nextDue;
      const entry = this.#heap.pop()!;
      // A place that a hurried turn left behind counts for nothing.
      if (entry.state === 'waiting' && entry.due === due) this.#admitOrPutOff(entry, now);
    }
    while (this.#active < this.#options.concurrency && this.#ready.size > 0) this.#start(this.#ready.pop()!);
    this.#sleepUntil(this.#heap.nextDue);
  }

  #admitOrPutOff(entry: Entry, now: number): void {
    const wait = entry.turn.waitMs?.() ?? 0;
    if (wait <= 0) return this.#admit(entry);
    // Those that wait for one host must not come back at one moment.
    const spread = this.#random() * Math.min(entry.turn.intervalMs(), SPREAD_MS);
    entry.due = now + Math.min(wait + spread, MOST_WAIT_MS);
    this.#heap.push(entry.due, entry);
  }

  /** To the slots, or to its host's queue where the host has enough to do. */
  #admit(entry: Entry): void {
    if (entry.state === 'gone') return;
    entry.state = 'queued';
    const { host } = entry.turn;
    const active = this.#hostActive.get(host) ?? 0;
    if (active < this.#options.hostConcurrency(host)) {
      this.#hostActive.set(host, active + 1);
      this.#ready.push(entry.due, entry);
      return;
    }
    let queue = this.#hostQueues.get(host);
    if (!queue) this.#hostQueues.set(host, (queue = new DueHeap()));
    queue.push(entry.due, entry);
  }

  #start(entry: Entry): void {
    if (entry.state === 'gone') return this.#leaveHost(entry.turn.host);
    entry.state = 'running';
    this.#active++;
    const began = this.#options.clock.monotonic();
    if (began - entry.due > entry.turn.intervalMs() / 2) this.#late.add(entry.turn.id);
    void entry.turn.run().finally(() => this.#finish(entry, began));
  }

  #finish(entry: Entry, began: number): void {
    this.#active--;
    this.#leaveHost(entry.turn.host);
    if (entry.state !== 'gone') {
      entry.state = 'waiting';
      const interval = entry.turn.intervalMs();
      const now = this.#options.clock.monotonic();
      // On the grid of its own first turn while it keeps up; from its late beginning where it does not.
      const onGrid = entry.due + interval;
      entry.due = onGrid >= began ? Math.max(onGrid, now) : Math.max(began + interval, now);
      this.#heap.push(entry.due, entry);
    }
    this.#pump();
  }

  #leaveHost(host: string): void {
    const active = (this.#hostActive.get(host) ?? 1) - 1;
    if (active > 0) this.#hostActive.set(host, active);
    else this.#hostActive.delete(host);
    const queue = this.#hostQueues.get(host);
    if (!queue) return;
    let next = queue.pop();
    while (next?.state === 'gone') next = queue.pop();
    if (queue.size === 0) this.#hostQueues.delete(host);
    if (next) this.#admit(next);
  }

  #sleepUntil(due: number): void {
    if (due === Infinity || (this.#sleep && this.#sleep.until <= due)) return;
    this.#sleep?.cancel.abort();
    const sleep = { until: due, cancel: new AbortController() };
    this.#sleep = sleep;
    const wait = Math.max(1, due - this.#options.clock.monotonic());
    this.#options.clock.sleep(wait, sleep.cancel.signal).then(
      () => {
        if (this.#sleep === sleep) this.#sleep = undefined;
        this.#pump();
      },
      () => {},
    );
  }
}
