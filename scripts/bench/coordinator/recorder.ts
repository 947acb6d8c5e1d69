/** What the simulated agents saw since the last reset. */
export interface Seen {
  renewals: number;
  renewP50Ms: number;
  renewP99Ms: number;
  batches: number;
  intakeP50Ms: number;
  intakeP99Ms: number;
  attempts: number;
  /** Attempts that a receipt did not count. */
  uncounted: number;
  pictures: number;
  errors: number;
}

/** Shared by all simulated agents of the process. */
export class Recorder {
  #renewMs: number[] = [];
  #intakeMs: number[] = [];
  #counts = { attempts: 0, uncounted: 0, pictures: 0, errors: 0 };
  /** Camera → number of the agent that captures it. */
  readonly holders = new Map<number, number>();
  #watched: { cameras: Set<number>; done: () => void } | undefined;

  reset(): void {
    this.#renewMs = [];
    this.#intakeMs = [];
    this.#counts = { attempts: 0, uncounted: 0, pictures: 0, errors: 0 };
  }

  renewed(ms: number): void {
    this.#renewMs.push(ms);
  }

  reported(ms: number, attempts: number, counted: number): void {
    this.#intakeMs.push(ms);
    this.#counts.attempts += attempts;
    this.#counts.uncounted += attempts - counted;
  }

  pictureSent(): void {
    this.#counts.pictures++;
  }

  failed(): void {
    this.#counts.errors++;
  }

  accepted(cameraId: number, agent: number): void {
    this.holders.set(cameraId, agent);
    if (this.#watched?.cameras.delete(cameraId) && this.#watched.cameras.size === 0) this.#watched.done();
  }

  left(cameraId: number, agent: number): void {
    if (this.holders.get(cameraId) === agent) this.holders.delete(cameraId);
  }

  /** Resolves when somebody has accepted every one of the cameras from now on. */
  allAccepted(cameras: Iterable<number>): Promise<void> {
    return new Promise((done) => {
      this.#watched = { cameras: new Set(cameras), done };
      if (this.#watched.cameras.size === 0) done();
    });
  }

  /** Cameras of `allAccepted` that nobody has yet. */
  get waitingFor(): number {
    return this.#watched?.cameras.size ?? 0;
  }

  read(): Seen {
    const renew = this.#renewMs.toSorted((a, b) => a - b);
    const intake = this.#intakeMs.toSorted((a, b) => a - b);
    return {
      ...{ renewals: renew.length, renewP50Ms: quantile(renew, 0.5), renewP99Ms: quantile(renew, 0.99) },
      ...{ batches: intake.length, intakeP50Ms: quantile(intake, 0.5), intakeP99Ms: quantile(intake, 0.99) },
      ...this.#counts,
    };
  }
}

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
