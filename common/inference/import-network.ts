import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import type { ModelManifest } from '../domain/model.ts';
import { AppError } from '../runtime/errors.ts';
import { sha256 } from '../storage/digest.ts';
import { buildPlainHead, buildResize } from './graphs.ts';
import { ModelRunner } from './model-runner.ts';
import { DEFAULT_SCALING, openNetwork, pictureInputOf, scalingOf } from './picture-input.ts';

export interface ImportRequest {
  name: string;
  onnx: Buffer;
  labels: string[];
  /** value · scale + offset; default from the model's metadata, else x/127.5 − 1. */
  preprocessing?: { scale: number; offset: number } | undefined;
  /** Pictures for the golden frames; default: rendered test cards. */
  golden?: Buffer[] | undefined;
}

export interface ImportedNetwork {
  manifest: ModelManifest;
  files: Map<string, Buffer>;
}

// Scores of one model on different CPUs differ by rounding only: measured below 1e-4, a wrong kernel or a changed weight by far more.
const TOLERANCE = 0.005;

interface Shape {
  trunk: ModelManifest['trunk'];
  input: Pick<ModelManifest['input'], 'width' | 'height' | 'layout'>;
}

/** Makes the parts of an artifact from any ONNX image classifier with one picture input and one output a class. */
export async function importNetwork(request: ImportRequest): Promise<ImportedNetwork> {
  const folder = await mkdtemp(join(tmpdir(), 'camfleet-import-'));
  try {
    await writeFile(join(folder, 'trunk.onnx'), request.onnx);
    const shape = await inspect(join(folder, 'trunk.onnx'), request.labels.length);
    const scaling = request.preprocessing ?? scalingOf(request.onnx) ?? DEFAULT_SCALING;
    const golden = request.golden ?? (await testCards());
    const build = async (logits: boolean): Promise<ImportedNetwork & { sums: number[] }> => {
      const files = new Map<string, Buffer>([
        ['resize.onnx', buildResize({ ...shape.input, ...scaling })],
        ['trunk.onnx', request.onnx],
        ['head-m0.onnx', buildPlainHead(request.labels.length, logits)],
      ]);
      for (const [name, bytes] of files) await writeFile(join(folder, name), bytes);
      const manifest = manifestOf(request, shape, scaling, files, golden);
      const runner = await ModelRunner.load(folder, manifest, { threads: 1 });
      const results = await runner.classify(golden);
      await runner.close();
      manifest.golden = golden.map((jpeg, i) => ({ jpeg: jpeg.toString('base64'), m0: [...(results[i]?.m0 ?? [])] }));
      return { manifest, files, sums: results.map(({ m0 }) => m0.reduce((sum, p) => sum + p, 0)) };
    };
    const plain = await build(false);
    const scores = plain.manifest.golden.flatMap((frame) => frame.m0);
    if (scores.some((score) => !Number.isFinite(score))) {
      throw new AppError(
        'MODEL_INVALID',
        'The network gives NaN or infinite scores on a test picture; check its file.',
      );
    }
    const probabilities =
      plain.sums.every((sum) => Math.abs(sum - 1) < 1e-3) && scores.every((p) => p >= 0 && p <= 1.0001);
    return probabilities ? plain : await build(true);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function manifestOf(
  request: ImportRequest,
  { trunk, input }: Shape,
  scaling: { scale: number; offset: number },
  files: Map<string, Buffer>,
  golden: Buffer[],
): ModelManifest {
  const entry = (name: string) => {
    const bytes = files.get(name) as Buffer;
    return { digest: sha256(bytes), bytes: bytes.length };
  };
  return {
    format: 1,
    name: request.name,
    createdAt: new Date().toISOString(),
    labels: request.labels,
    input: { ...input, ...scaling },
    trunk,
    files: {
      'resize.onnx': entry('resize.onnx'),
      'trunk.onnx': entry('trunk.onnx'),
      'head-m0.onnx': entry('head-m0.onnx'),
    },
    origin: 'imported from an ONNX file',
    golden: golden.map((jpeg) => ({ jpeg: jpeg.toString('base64'), m0: [] })),
    tolerance: TOLERANCE,
  };
}

/** Finds the picture input and the output that has one value a label. */
async function inspect(path: string, labels: number): Promise<Shape> {
  const session = await openNetwork(path);
  try {
    const { name, ...input } = pictureInputOf(session);
    const output = session.outputMetadata.find(
      (meta) =>
        meta.isTensor &&
        meta.shape.slice(1).every((n) => typeof n === 'number') &&
        product(meta.shape.slice(1)) === labels,
    );
    if (!output) {
      const found = session.outputMetadata.map((meta) =>
        meta.isTensor ? `${meta.name} [${meta.shape.join(', ')}]` : meta.name,
      );
      throw new AppError(
        'MODEL_LABELS_MISMATCH',
        `There are ${labels} labels, but no output has ${labels} values (outputs: ${found.join('; ')}). The labels file must name one class a line, in the network's order.`,
      );
    }
    return { trunk: { input: name, output: output.name }, input };
  } finally {
    await session.release();
  }
}

const product = (shape: readonly (number | string)[]): number => shape.reduce<number>((all, n) => all * Number(n), 1);

/** Three deterministic pictures with structure at every scale: a gradient, stripes and noise. */
async function testCards(): Promise<Buffer[]> {
  const width = 320;
  const height = 240;
  let state = 1;
  const noise = () => (state = (state * 48_271) % 2_147_483_647) & 255;
  const paint: ((x: number, y: number) => [number, number, number])[] = [
    (x, y) => [(x * 255) / width, (y * 255) / height, 128],
    (x, y) => (((x >> 4) + (y >> 4)) % 2 ? [230, 60, 40] : [20, 90, 200]),
    () => [noise(), noise(), noise()],
  ];
  return Promise.all(
    paint.map((colour) => {
      const data = Buffer.alloc(width * height * 3);
      for (let p = 0; p < width * height; p++)
        data.set(colour(p % width, Math.floor(p / width)).map(Math.floor), p * 3);
      return sharp(data, { raw: { width, height, channels: 3 } })
        .jpeg({ quality: 90 })
        .toBuffer();
    }),
  );
}
