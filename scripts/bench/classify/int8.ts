import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { seededRandom } from '../../../common/domain/random.ts';
import { loadBackbone, openTrunk } from '../../../trainer/backbone/backbone.ts';
import type { Backbone } from '../../../trainer/backbone/backbone.ts';
import { importBackbone } from '../../../trainer/backbone/import.ts';
import { quantiseBackbone } from '../../../trainer/export/quantise-backbone.ts';
import { median, pairedRatio, takeTurns } from '../report.ts';

export interface Int8Options {
  /** Folder of a backbone, fp32 or 8-bit; '': InceptionV3 of `weights`. */
  backbone: string;
  /** Keras' file, where there is one. */
  weights: string;
  /** For what is made and thrown away. */
  scratch: string;
  threads: number;
  seconds: number;
}

/** Enough to set ranges: how good they are does not change the speed. */
const CALIBRATION = 2;

/**
 * The fp32 trunk and the 8-bit one in turn, at batch 1 and 8.
 *
 * @returns undefined where there are no weights to measure on
 */
export async function compareInt8(
  options: Int8Options,
): Promise<{ ratios: Record<string, number>; figures: Record<string, number> } | undefined> {
  const pair = await trunksOf(options);
  if (!pair) return undefined;
  const { threads, seconds } = options;
  const [fp32, int8] = [await openTrunk(pair.fp32, { threads }), await openTrunk(pair.int8, { threads })];
  try {
    const at = (images: number) => {
      const inputs = picture(pair.fp32, images);
      const run = (trunk: typeof fp32) => () => trunk.run(inputs, images).then(() => images);
      return takeTurns({ fp32: run(fp32), int8: run(int8) }, { seconds });
    };
    const [single, eight] = [await at(1), await at(8)];
    return {
      ratios: {
        int8VsFp32: pairedRatio(single, 'int8', 'fp32'),
        int8VsFp32Batch8: pairedRatio(eight, 'int8', 'fp32'),
      },
      figures: {
        fp32TrunkPerSecond: median(single['fp32'] ?? []),
        int8TrunkPerSecond: median(single['int8'] ?? []),
        int8TrunkPerSecondBatch8: median(eight['int8'] ?? []),
      },
    };
  } finally {
    await fp32.close();
    await int8.close();
  }
}

async function trunksOf(options: Int8Options): Promise<{ fp32: Backbone; int8: Backbone } | undefined> {
  const { backbone, weights, scratch: root, threads } = options;
  if (backbone === '' && !existsSync(weights)) return undefined;
  const given = backbone === '' ? await importBackbone(weights, { root }) : await loadBackbone(backbone);
  const { quantised } = given.manifest.identity;
  // The one that it was made of lies beside it, unless somebody has moved it.
  if (quantised) return { fp32: await loadBackbone(join(dirname(given.folder), quantised.from)), int8: given };
  const pictures = Array.from({ length: CALIBRATION }, () => picture(given, 1));
  return { fp32: given, int8: await quantiseBackbone(given, pictures, { root, threads }) };
}

/** Random pixels: what a picture shows does not change its cost. */
function picture({ input }: Backbone, images: number): Float32Array {
  const { width, height, scale, offset } = input;
  const random = seededRandom('picture');
  return Float32Array.from({ length: images * 3 * width * height }, () => 255 * random() * scale + offset);
}
