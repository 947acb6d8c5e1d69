import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sha256 } from '../../common/storage/digest.ts';
import { writeDurably } from '../../common/storage/object-store.ts';
import type { Iteration } from './train-head.ts';
import type { JudgedSet } from './vectors.ts';

/** What is kept of a trained model: what it says of the images, never its weights. */
export interface ModelResult {
  /** Logits, or decision values of the SVM; n × classes. `heldOut`: of the fold that it did not learn. */
  logits: Partial<Record<JudgedSet | 'heldOut', Float32Array>>;
  prior: number[];
  iterations: Iteration[];
  steps: number;
  seconds: number;
  /** Of the whole process when it was done. */
  residentBytes: number;
  notes: string[];
}

export interface ResultAddress {
  profile: string;
  split: number;
  seed: number;
  model: string;
  /** Everything that decides the result; another address for anything else. */
  decidedBy: unknown;
}

/** Results on disk, a file each; half-written files do not appear. */
export class ResultStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** A file that cannot be read is as good as none: it is computed again. */
  async get(address: ResultAddress): Promise<ModelResult | undefined> {
    try {
      const stored = JSON.parse(await readFile(this.#pathOf(address), 'utf8')) as Stored;
      const logits = Object.entries(stored.logits).map(([set, text]) => [set, decoded(text)]);
      return { ...stored, logits: Object.fromEntries(logits) as ModelResult['logits'] };
    } catch {
      return undefined;
    }
  }

  async put(address: ResultAddress, result: ModelResult): Promise<void> {
    const path = this.#pathOf(address);
    const logits = Object.fromEntries(Object.entries(result.logits).map(([set, values]) => [set, encoded(values)]));
    await mkdir(dirname(path), { recursive: true });
    await writeDurably(path, Buffer.from(JSON.stringify({ ...result, logits })));
  }

  #pathOf({ profile, split, seed, model, decidedBy }: ResultAddress): string {
    const digest = sha256(JSON.stringify([profile, split, seed, model, decidedBy])).slice(0, 16);
    return join(this.#folder, `${profile}-split-${split}-seed-${seed}`, `${model.replaceAll('/', '-')}-${digest}.json`);
  }
}

type Stored = Omit<ModelResult, 'logits'> & { logits: Record<string, string> };

const encoded = (values: Float32Array): string =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');

const decoded = (text: string): Float32Array => new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
