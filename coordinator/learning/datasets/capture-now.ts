import type { Clock } from '../../../common/runtime/clock.ts';

/** What became of asking every camera for a fresh frame. */
export interface CaptureReport {
  /** When they were asked, ms of the database's clock. */
  askedAt: number;
  asked: number;
  /** A good frame fetched since then is kept. */
  came: number;
  /** Tried since then, but what came was no good picture. */
  bad: number;
}

export interface CaptureNowOptions {
  /** Ids of all cameras that are captured. */
  activeCameras(): Promise<number[]>;
  /** The store of frames. */
  frames: {
    ask(cameraIds: readonly number[]): Promise<number>;
    asked(askedAt: number): Promise<Omit<CaptureReport, 'askedAt'>>;
  };
  /** Tells the agents that hold these cameras to take their turn now. */
  hurry(cameraIds: number[]): Promise<void>;
  clock: Clock;
}

const LOOK_EVERY_MS = 500;
/** A message of some 40 kB. */
const CAMERAS_A_MESSAGE = 5_000;

/** One fresh frame of every active camera: asks the agents that hold them, and counts what comes. */
export class CaptureNow {
  readonly #options: CaptureNowOptions;

  constructor(options: CaptureNowOptions) {
    this.#options = options;
  }

  /** Asks; frames come as politeness and the agents' reports allow. */
  async ask(cameraIds?: readonly number[]): Promise<CaptureReport> {
    const { frames, activeCameras, hurry } = this.#options;
    const wanted = cameraIds && new Set(cameraIds);
    const ids = (await activeCameras()).filter((id) => wanted?.has(id) ?? true);
    // Before the agents hear of it: what comes at once is already wanted.
    const askedAt = await frames.ask(ids);
    for (let from = 0; from < ids.length; from += CAMERAS_A_MESSAGE)
      await hurry(ids.slice(from, from + CAMERAS_A_MESSAGE));
    return this.progress(askedAt);
  }

  async progress(askedAt: number): Promise<CaptureReport> {
    return { askedAt, ...(await this.#options.frames.asked(askedAt)) };
  }

  /** Asks and waits until every camera has answered, but no longer than `waitMs`. */
  async run({
    cameraIds,
    waitMs,
  }: {
    cameraIds?: readonly number[] | undefined;
    waitMs: number;
  }): Promise<CaptureReport> {
    const { clock } = this.#options;
    const until = clock.monotonic() + waitMs;
    let report = await this.ask(cameraIds);
    while (report.came + report.bad < report.asked && clock.monotonic() < until) {
      await clock.sleep(LOOK_EVERY_MS);
      report = await this.progress(report.askedAt);
    }
    return report;
  }
}
