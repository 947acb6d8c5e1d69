import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModelFile, ModelManifest } from '../../common/domain/model.ts';
import { signManifest, writeArtifact } from '../../common/inference/artifact.ts';
import type { SignedManifest } from '../../common/inference/artifact.ts';
import { ModelRunner } from '../../common/inference/model-runner.ts';
import type { HeadScores } from '../../common/inference/model-runner.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { sha256 } from '../../common/storage/digest.ts';
import type { KeyPair } from '../../common/storage/signature.ts';
import type { Rows } from '../evaluate/probabilities.ts';
import type { ServingParts } from './parts.ts';

/**
 * Largest difference between two right installations, and between the trainer's engine and the agents' path: rounding alone
 * stays below 1e-4, a wrong kernel, order of channels or scaling is far above.
 */
const TOLERANCE = 0.005;

export interface ArtifactRequest {
  name: string;
  labels: readonly string[];
  /** Resize graph and trunk. */
  parts: Omit<ServingParts, 'buildHead'>;
  /** From the trunk's output to probabilities, as ONNX. */
  heads: { m0: Buffer; m1: Buffer };
  fusion: { rule: 'eq3' | 'mean'; ratios: readonly number[]; threshold: number };
  metrics: Record<string, number>;
  /** Where the weights come from, in words. */
  origin: string;
  /** JPEG pictures whose scores every installation must reproduce. */
  golden: readonly Buffer[];
  /** The trainer's own scores on other pictures: the agents' path must give the same. */
  check: { pictures: readonly Buffer[]; m0: Rows; m1: Rows };
  key: KeyPair;
}

/**
 * Writes the artifact folder that coordinators register and agents load.
 *
 * @throws AppError `EXPORT_DIFFERS` where the agents' path gives other scores than the trainer
 */
export async function exportArtifact(folder: string, request: ArtifactRequest): Promise<SignedManifest> {
  const files = new Map<ModelFile, Buffer>([
    ['resize.onnx', request.parts.resizeOnnx],
    ['trunk.onnx', request.parts.trunkOnnx],
    ['head-m0.onnx', request.heads.m0],
    ['head-m1.onnx', request.heads.m1],
  ]);
  const draft = manifestOf(request, files);
  const golden = await withRunner(files, draft, async (runner) => {
    await compare(runner, request.check);
    return goldenFrames(runner, request.golden);
  });
  const signed = signManifest({ ...draft, golden }, request.key.privateKey);
  await writeArtifact(folder, signed, (name) => Promise.resolve(files.get(name) as Buffer));
  return signed;
}

function manifestOf(request: ArtifactRequest, files: ReadonlyMap<ModelFile, Buffer>): ModelManifest {
  const entry = (name: ModelFile) => {
    const bytes = files.get(name) as Buffer;
    return { digest: sha256(bytes), bytes: bytes.length };
  };
  return {
    format: 1,
    name: request.name,
    createdAt: new Date().toISOString(),
    labels: [...request.labels],
    input: request.parts.input,
    trunk: request.parts.trunk,
    files: {
      'resize.onnx': entry('resize.onnx'),
      'trunk.onnx': entry('trunk.onnx'),
      'head-m0.onnx': entry('head-m0.onnx'),
      'head-m1.onnx': entry('head-m1.onnx'),
    },
    fusion: { ...request.fusion, ratios: [...request.fusion.ratios] },
    metrics: request.metrics,
    origin: request.origin.slice(0, 1000),
    golden: [],
    tolerance: TOLERANCE,
  };
}

/** The very code that agents run, on the very bytes that they get. */
async function withRunner<T>(
  files: ReadonlyMap<ModelFile, Buffer>,
  manifest: ModelManifest,
  use: (runner: ModelRunner) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'camfleet-export-'));
  try {
    for (const [name, bytes] of files) await writeFile(join(folder, name), bytes);
    const runner = await ModelRunner.load(folder, manifest, { threads: 1 });
    try {
      return await use(runner);
    } finally {
      await runner.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function goldenFrames(runner: ModelRunner, pictures: readonly Buffer[]): Promise<ModelManifest['golden']> {
  const scores = await runner.classify(pictures);
  return pictures.map((jpeg, i) => {
    const { m0, m1 } = scores[i] as Required<HeadScores>;
    return { jpeg: jpeg.toString('base64'), m0: [...m0], m1: [...m1] };
  });
}

async function compare(runner: ModelRunner, { pictures, m0, m1 }: ArtifactRequest['check']): Promise<void> {
  // One at a time: originals of many megapixels would not fit into memory together.
  for (const [i, picture] of pictures.entries()) {
    const [served] = (await runner.classify([picture])) as [Required<HeadScores>];
    for (const [head, trained] of [
      ['m0', m0[i]],
      ['m1', m1[i]],
    ] as const) {
      const difference = largestDifference(trained as ArrayLike<number>, served[head]);
      if (difference <= TOLERANCE) continue;
      throw new AppError(
        'EXPORT_DIFFERS',
        `On picture ${i} of the check, head ${head} gives scores that differ by ${difference} between trainer and agent ` +
          `(at most ${TOLERANCE}). The artifact was not written; agents would decide otherwise than the report says.`,
      );
    }
  }
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  Array.from(a).forEach((value, j) => {
    const difference = Math.abs(value - (b[j] as number));
    // NaN compares false with everything.
    largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(largest, difference);
  });
  return largest;
}
