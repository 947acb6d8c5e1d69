import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../../../../common/storage/digest.ts';
import { affineOf, warp } from '../../../../trainer/dataset/augment/affine.ts';
import type { Order, WarpDraw } from '../../../../trainer/dataset/augment/affine.ts';
import { basicAugmentation, drawWarp } from '../../../../trainer/dataset/augment/draw.ts';

interface Case {
  rotationDegrees: number;
  shiftRows: number;
  shiftColumns: number;
  shear: number;
  matrix: number[][];
  order0: number[][];
  order1: number[][];
}

const SHARED = process.env['CAMFLEET_SHARED'] ?? resolve(import.meta.dirname, '../../../../../shared');
const GOLDENS = join(SHARED, 'goldens/augmentation/affine.json');
const stored = JSON.parse(readFileSync(join(import.meta.dirname, 'affine-scipy.json'), 'utf8')) as {
  height: number;
  width: number;
  cases: Case[];
};

const drawOf = ({ rotationDegrees, shiftRows, shiftColumns, shear }: Omit<Case, 'matrix' | 'order0' | 'order1'>) =>
  ({ rotation: (rotationDegrees * Math.PI) / 180, shiftRows, shiftColumns, shear, flip: false }) satisfies WarpDraw;

function warped(pixels: readonly number[], height: number, width: number, draw: WarpDraw, order: Order, channels = 1) {
  const to = new Float32Array(pixels.length);
  const map = affineOf(draw, height, width);
  warp(Float32Array.from(pixels), to, { channels, height, width }, map, order, draw.flip);
  return [...to];
}

const furthest = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((value, i) => Math.abs(value - (b[i] as number))));

describe('the affine warp', () => {
  const { height, width, cases } = stored;
  const image = Array.from({ length: height * width }, (_, i) => {
    const [r, c] = [Math.floor(i / width), i % width];
    return (r * 53 + c * 29 + r * c * 7) % 256;
  });

  test.each(cases)('is SciPy’s at $rotationDegrees° in both orders', (expected) => {
    const { rr, rc, r0, cr, cc, c0 } = affineOf(drawOf(expected), height, width);
    expect(furthest([rr, rc, r0, cr, cc, c0], expected.matrix.flat())).toBeLessThan(1e-12);
    expect(warped(image, height, width, drawOf(expected), 0)).toEqual(expected.order0.flat());
    expect(furthest(warped(image, height, width, drawOf(expected), 1), expected.order1.flat())).toBeLessThan(2e-5);
  });

  test('has Keras’ centre half a pixel beyond the middle', () => {
    const { rr, rc, r0, cr, cc, c0 } = affineOf(
      { rotation: Math.PI / 18, shiftRows: 29.9, shiftColumns: -14.95, shear: 0.2, flip: false },
      299,
      299,
    );
    const kerasMatrix = [0.98480775, -0.36583787, 89.19630999, 0.17364818, 0.9306786, -25.17981161];
    expect(furthest([rr, rc, r0, cr, cc, c0], kerasMatrix)).toBeLessThan(1e-8);
  });

  test('moves all channels alike and mirrors afterwards', () => {
    const draw = { rotation: 0.1, shiftRows: 1, shiftColumns: -2, shear: 0.1, flip: false };
    const planes = [...image, ...image.map((value) => 255 - value)];
    for (const order of [0, 1] as const) {
      const plain = warped(planes, height, width, draw, order, 2);
      const first = plain.slice(0, image.length);
      expect(first).toEqual(warped(image, height, width, draw, order));
      expect(
        furthest(
          plain.slice(image.length),
          first.map((value) => 255 - value),
        ),
      ).toBeLessThan(1e-4);
      const flipped = warped(planes, height, width, { ...draw, flip: true }, order, 2);
      const rows = Array.from({ length: 2 * height }, (_, r) => plain.slice(r * width, (r + 1) * width).reverse());
      expect(flipped).toEqual(rows.flat());
    }
  });

  test('changes nothing where nothing is drawn', () => {
    const still = { rotation: 0, shiftRows: 0, shiftColumns: 0, shear: 0, flip: false };
    expect(warped(image, height, width, still, 0)).toEqual(image);
    expect(warped(image, height, width, still, 1)).toEqual(image);
  });

  test.skipIf(!existsSync(GOLDENS))('agrees with the golden file (needs ../shared)', () => {
    const golden = JSON.parse(readFileSync(GOLDENS, 'utf8')) as {
      image: number[][];
      cases: {
        theta_deg: number;
        tx_frac_rows: number;
        ty_frac_cols: number;
        shear_rad: number;
        order0: number[][];
        order1: number[][];
      }[];
    };
    for (const expected of golden.cases) {
      const draw = drawOf({
        rotationDegrees: expected.theta_deg,
        shiftRows: expected.tx_frac_rows * 7,
        shiftColumns: expected.ty_frac_cols * 9,
        shear: expected.shear_rad,
      });
      expect(warped(golden.image.flat(), 7, 9, draw, 0)).toEqual(expected.order0.flat());
      // SciPy itself is as far from this file.
      expect(furthest(warped(golden.image.flat(), 7, 9, draw, 1), expected.order1.flat())).toBeLessThan(1e-4);
    }
  });
});

describe('a draw', () => {
  const digest = sha256('an image');
  const draws = Array.from({ length: 4000 }, (_, repetition) =>
    drawWarp(basicAugmentation, { seed: 3, digest, repetition }, 100, 200),
  );

  test('is a function of seed, image and repetition, whatever was drawn before', () => {
    expect(drawWarp(basicAugmentation, { seed: 3, digest, repetition: 17 }, 100, 200)).toEqual(draws[17]);
    const others = [
      { seed: 4, digest, repetition: 17 },
      { seed: 3, digest: sha256('another'), repetition: 17 },
      { seed: 3, digest, repetition: 18 },
    ];
    for (const other of others) {
      expect(drawWarp(basicAugmentation, other, 100, 200).rotation).not.toBe(draws[17]?.rotation);
    }
  });

  test('never changes between versions: checkpoints and view caches rely on it', () => {
    const { rotation, shiftRows, shiftColumns, shear, flip } = draws[0] as WarpDraw;
    expect([rotation, shiftRows, shiftColumns, shear, flip]).toEqual(FIRST_DRAW);
  });

  test('fills the whole range evenly, shifts along their own sides', () => {
    const ranges = { rotation: Math.PI / 18, shiftRows: 20, shiftColumns: 40, shear: 0.2 } as const;
    for (const [name, largest] of Object.entries(ranges) as [keyof typeof ranges, number][]) {
      const values = draws.map((draw) => draw[name] / largest);
      expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(1);
      expect(Math.max(...values)).toBeGreaterThan(0.99);
      expect(Math.min(...values)).toBeLessThan(-0.99);
      // Mean 0 and mean square 1/3, within five standard errors.
      expect(Math.abs(values.reduce((sum, value) => sum + value, 0) / values.length)).toBeLessThan(0.046);
      expect(Math.abs(values.reduce((sum, value) => sum + value ** 2, 0) / values.length - 1 / 3)).toBeLessThan(0.024);
    }
    expect(Math.abs(draws.filter(({ flip }) => flip).length / draws.length - 0.5)).toBeLessThan(0.04);
  });

  test('takes shear in degrees where the later Keras is asked for', () => {
    const late = drawWarp({ ...basicAugmentation, shearUnit: 'degrees' }, { seed: 3, digest, repetition: 5 }, 100, 200);
    expect(late.shear).toBeCloseTo(((draws[5] as WarpDraw).shear * Math.PI) / 180, 12);
    expect({ ...late, shear: 0 }).toEqual({ ...draws[5], shear: 0 });
  });
});

/** Of seed 3, SHA-256 of "an image", repetition 0: by SHA-256 of "3/<digest>/0" worked out in another language. */
const FIRST_DRAW = [-0.14829431391939008, -7.198088395387857, 19.31219287382504, 0.08558939520533643, false];
