import { createHash } from 'node:crypto';
import type { Digest } from '../../../common/storage/digest.ts';
import type { Order, WarpDraw } from './affine.ts';

/** Keras' ImageDataGenerator as far as the paper uses it; fill is always the edge's pixel. */
export interface Augmentation {
  /** Largest rotation either way, degrees. */
  rotationDegrees: number;
  /** Largest shift either way, as shares of height and of width. */
  shiftRows: number;
  shiftColumns: number;
  /** Largest shear either way, in `shearUnit`: radians up to Keras 2.1.2 (the paper's time), degrees after. */
  shear: number;
  shearUnit: 'radians' | 'degrees';
  /** Mirrored left to right half of the time. */
  flip: boolean;
  order: Order;
}

/** The paper's "basic augmentation", as the Keras of its time understood it. */
export const basicAugmentation: Augmentation = {
  rotationDegrees: 10,
  shiftRows: 0.2,
  shiftColumns: 0.2,
  shear: 0.2,
  shearUnit: 'radians',
  flip: true,
  order: 0,
};

/** The same settings as Keras has understood them since 2.1.3: its shear of .2 degrees is nearly none. */
export const laterAugmentation: Augmentation = { ...basicAugmentation, shearUnit: 'degrees' };

const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/**
 * The augmentation of one repetition of one image: a function of seed, image and repetition alone, whatever else was drawn before
 * and by whom. SHA-256 of "seed/digest/repetition" gives five numbers in [0, 1), six bytes each, used in Keras' order: rotation,
 * shift of rows, shift of columns, shear, flip.
 */
export function drawWarp(
  augmentation: Augmentation,
  { seed, digest, repetition }: { seed: number; digest: Digest; repetition: number },
  height: number,
  width: number,
): WarpDraw {
  const hash = createHash('sha256').update(`${seed}/${digest}/${repetition}`).digest();
  const unit = (i: number) => hash.readUIntBE(i * 6, 6) / 2 ** 48;
  const either = (i: number, largest: number) => (2 * unit(i) - 1) * largest;
  const shear = either(3, augmentation.shear);
  return {
    rotation: radians(either(0, augmentation.rotationDegrees)),
    shiftRows: either(1, augmentation.shiftRows) * height,
    shiftColumns: either(2, augmentation.shiftColumns) * width,
    shear: augmentation.shearUnit === 'radians' ? shear : radians(shear),
    flip: augmentation.flip && unit(4) < 0.5,
  };
}
