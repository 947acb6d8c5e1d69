import { readFile } from 'node:fs/promises';
import { sha256 } from '../../common/storage/digest.ts';
import { loadBackbone } from '../backbone/backbone.ts';
import type { Backbone } from '../backbone/backbone.ts';
import { writeBackbone } from '../backbone/folder.ts';
import { calibrate } from './calibrate.ts';
import { poolLast } from './pool-last.ts';
import { quantise, tensorsToCalibrate } from './quantise.ts';

/** Fewer pictures leave ranges to chance; design: at least 300 of the training part, stratified. */
export const CALIBRATION_PICTURES = 300;
/** The last words of `method` since average pooling comes after 1×1 convolutions. */
export const POOLING = 'pooling last';
/** Of all values of a tensor; on InceptionV3 this loses least (100: as good, 99.9: half as much again). */
const PERCENTILE = 99.999;

export interface QuantiseOptions {
  /** Folder of all backbones, see `backbonesOf`. */
  root: string;
  threads: number;
  /** Default: the name of the fp32 one with `-int8`. */
  name?: string;
  percentile?: number;
  now?: Date;
  onProgress?: (done: number, total: number) => void;
}

/**
 * A backbone of its own with an 8-bit trunk. Heads, quotas and T_r must be fitted on its outputs: it has another digest, so no
 * activation of the fp32 trunk is taken for one of its.
 *
 * @param pictures un-augmented training pictures as the backbone's resize graph gives them
 * @throws AppError `CALIBRATION_…`, `QUANTISE_…`
 */
export async function quantiseBackbone(
  backbone: Backbone,
  pictures: readonly Float32Array[],
  { root, threads, name, percentile = PERCENTILE, now = new Date(), onProgress }: QuantiseOptions,
): Promise<Backbone> {
  const { width, height, layout } = backbone.input;
  const onnx = poolLast(await readFile(backbone.trunkFile));
  const ranges = await calibrate(onnx, tensorsToCalibrate(onnx), pictures, {
    threads,
    percentile,
    inputDims: layout === 'nchw' ? [3, height, width] : [height, width, 3],
    ...(onProgress && { onProgress }),
  });
  const trunk = quantise(onnx, ranges);
  const { identity, warnings } = backbone.manifest;
  const few =
    pictures.length < CALIBRATION_PICTURES
      ? [`the 8-bit trunk was calibrated on ${pictures.length} pictures; take at least ${CALIBRATION_PICTURES}`]
      : [];
  const files = new Map([['trunk.onnx', trunk]]);
  for (const file of ['resize.onnx', 'top.f32'] as const) {
    if (identity.files[file]) files.set(file, await readFile(`${backbone.folder}/${file}`));
  }
  const folder = await writeBackbone(
    root,
    {
      ...backbone.manifest,
      name: name ?? `${backbone.name}-int8`,
      createdAt: now.toISOString(),
      identity: {
        ...identity,
        precision: 'int8',
        files: { ...identity.files, 'trunk.onnx': sha256(trunk) },
        quantised: {
          from: backbone.digest,
          images: pictures.length,
          imagesDigest: digestOfPictures(pictures),
          method: `static, U8S8, 7-bit weights by channel, ${percentile} % of the activations, ${POOLING}`,
        },
      },
      warnings: [...warnings, ...few],
    },
    files,
  );
  return loadBackbone(folder);
}

const digestOfPictures = (pictures: readonly Float32Array[]): string =>
  sha256(
    pictures
      .map(({ buffer, byteOffset, byteLength }) => sha256(new Uint8Array(buffer, byteOffset, byteLength)))
      .join('\n'),
  );
