import type { Scores } from '../../common/domain/fragment.ts';
import { fusedScores } from '../../common/domain/model.ts';
import type { ModelManifest } from '../../common/domain/model.ts';
import type { HeadScores } from '../../common/inference/model-runner.ts';
import { codeOf, messageOf } from '../../common/runtime/errors.ts';
import type { Logger } from '../../common/runtime/logger.ts';
import { Batcher } from './batcher.ts';
import { ModelProcess } from './model-process.ts';
import type { ModelFolder } from './model-folder.ts';

interface Classification {
  modelVersion: string;
  scores: Scores;
}

export interface ClassifierOptions {
  models: ModelFolder;
  /** Pictures a batch, and how long the first of a batch waits for others. */
  batchMax: number;
  batchWaitMs: number;
  threads: number;
  logger: Logger;
  /** Pictures after which a process is replaced. Default: 500,000. */
  recycleAfter?: number;
  /** Told after every switch and every refusal. */
  onReport(report: { version: string; state: 'fetched' | 'proved' | 'active' | 'refused'; reason?: string }): void;
}

// A process that has served so many pictures is replaced: what native libraries leak stays bounded.
const RECYCLE_AFTER = 500_000;
// Renewals name the wanted model every few seconds; a refused one is tried again only now and then.
const RETRY_REFUSED_MS = 60_000;
const TOP_K = 5;

interface Slot {
  process: ModelProcess;
  manifest: ModelManifest;
  version: string;
  served: number;
}

/** Two slots: the model in force goes on while the next one is fetched, verified and proved in a fresh process. */
export class Classifier {
  readonly #options: ClassifierOptions;
  readonly #batcher: Batcher<Uint8Array, Classification | null>;
  #active: Slot | undefined;
  #wanted: string | null = null;
  #switching: Promise<void> = Promise.resolve();
  #refused: { version: string; at: number } | undefined;

  constructor(options: ClassifierOptions) {
    this.#options = options;
    this.#batcher = new Batcher({
      max: options.batchMax,
      waitMs: options.batchWaitMs,
      run: (pictures) => this.#classify(pictures),
    });
  }

  /** Version in force, `null` while there is none. */
  get modelVersion(): string | null {
    return this.#active?.version ?? null;
  }

  get msPerPicture(): number | undefined {
    return this.#active?.process.msPerPicture;
  }

  /**
   * @param picture encoded, as fetched
   * @returns `null` without a model, and for a picture that cannot be decoded
   */
  classify(picture: Uint8Array): Promise<Classification | null> {
    return this.#active ? this.#batcher.add(picture) : Promise.resolve(null);
  }

  /** Makes `version` the model in force once it has proved itself; a model that fails leaves the old one running. */
  switchTo(version: string | null): Promise<void> {
    if (version === this.#wanted) return this.#switching;
    const refused = this.#refused;
    if (refused?.version === version && performance.now() - refused.at < RETRY_REFUSED_MS) return this.#switching;
    this.#wanted = version;
    this.#switching = this.#switching.then(() => this.#switch(version));
    return this.#switching;
  }

  async stop(): Promise<void> {
    this.#wanted = null;
    await this.#switching;
    await this.#active?.process.stop();
    this.#active = undefined;
  }

  async #switch(version: string | null): Promise<void> {
    if (version !== this.#wanted || version === this.modelVersion) return;
    const old = this.#active;
    if (version === null) this.#active = undefined;
    else {
      const slot = await this.#prove(version);
      if (!slot) return;
      this.#active = slot;
      this.#options.onReport({ version, state: 'active' });
      this.#options.logger.info({ version, model: slot.manifest.name }, 'model in force');
    }
    await old?.process.stop();
  }

  async #prove(version: string): Promise<Slot | undefined> {
    const { models, logger, onReport, threads } = this.#options;
    let process: ModelProcess | undefined;
    try {
      const { folder, manifest } = await models.fetch(version);
      onReport({ version, state: 'fetched' });
      process = new ModelProcess();
      await process.load(folder, models.publicKey, threads);
      onReport({ version, state: 'proved' });
      return { process, manifest, version, served: 0 };
    } catch (error) {
      await process?.stop();
      this.#refused = { version, at: performance.now() };
      if (this.#wanted === version) this.#wanted = this.modelVersion;
      onReport({
        version,
        state: 'refused',
        reason: `${codeOf(error) ?? 'FAILED'}: ${messageOf(error)}`.slice(0, 500),
      });
      logger.error({ version, err: error }, 'model refused; the one in force stays');
      return undefined;
    }
  }

  async #classify(pictures: Uint8Array[], retried = false): Promise<(Classification | null)[]> {
    const slot = await this.#livingSlot();
    if (!slot) return pictures.map(() => null);
    slot.served += pictures.length;
    try {
      const heads = await slot.process.classify(pictures);
      return heads.map((scores) =>
        scores ? { modelVersion: slot.version, scores: scoresOf(scores, slot.manifest) } : null,
      );
    } catch (error) {
      this.#options.logger.warn({ err: error, pictures: pictures.length, retried }, 'classification failed');
      // Once more in a fresh process; pictures that end two processes stay without a label.
      return retried ? pictures.map(() => null) : this.#classify(pictures, true);
    }
  }

  /** The slot in force, in a new process where the old one died or has served enough. */
  async #livingSlot(): Promise<Slot | undefined> {
    const slot = this.#active;
    if (!slot || (slot.process.alive && slot.served < (this.#options.recycleAfter ?? RECYCLE_AFTER))) return slot;
    const fresh = await this.#prove(slot.version);
    if (fresh && this.#active === slot) {
      this.#active = fresh;
      await slot.process.stop();
    } else await fresh?.process.stop();
    return this.#active;
  }
}

/** Top-k of both heads and of what decides (Eq. 3 or the mean; with one head M0). */
export function scoresOf(heads: HeadScores, { labels, fusion }: Pick<ModelManifest, 'labels' | 'fusion'>): Scores {
  const top = (scores: Float32Array) =>
    [...scores.keys()]
      .sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b)
      .slice(0, TOP_K)
      .map((j) => ({ label: labels[j] as string, score: rounded(scores[j] as number) }));
  const { m0, m1 } = heads;
  const fused = top(fusedScores(heads, fusion));
  return m1 ? { fused, m0: top(m0), m1: top(m1) } : { fused, m0: fused };
}

/** Five digits: a float's other twelve are noise, and they travel with every report. */
const rounded = (score: number): number => Math.round(Math.min(1, Math.max(0, score)) * 1e5) / 1e5;
