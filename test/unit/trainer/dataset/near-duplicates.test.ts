import { describe, expect, test } from 'vitest';
import { lookOf, twinNumbers } from '../../../../trainer/dataset/near-duplicates.ts';

/** A picture of soft blobs, another for every seed, drawn at any size. */
function blobs(seed: number, width: number, height: number, change = (value: number) => value) {
  const waves = Array.from({ length: 6 }, (_, k) => {
    const random = (salt: number) => (Math.abs(Math.sin(seed * 91.7 + k * 13.3 + salt * 7.1)) * 1e4) % 1;
    return { fx: random(1) * 4, fy: random(2) * 4, phase: random(3) * 6.28, size: 10 + 20 * random(4) };
  });
  const data = Buffer.alloc(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [((i % width) + 0.5) / width, (Math.floor(i / width) + 0.5) / height];
    const value = waves.reduce(
      (sum, { fx, fy, phase, size }) => sum + size * Math.sin(6.28 * (fx * x + fy * y) + phase),
      128,
    );
    data.fill(Math.max(0, Math.min(255, Math.round(change(value)))), i * 3, i * 3 + 3);
  }
  return { data, width, height };
}

const picture = (name: string, image: Parameters<typeof lookOf>[0]) => ({ digest: name, look: lookOf(image) });

describe('near-duplicates', () => {
  test('are found through size, noise and brightness, and join one group', () => {
    const twins = twinNumbers([
      picture('a', blobs(1, 128, 96)),
      picture('b', blobs(2, 128, 96)),
      picture('a smaller', blobs(1, 64, 48)),
      picture(
        'a noisier',
        blobs(1, 128, 96, (value) => value + ((value * 7919) % 5) - 2),
      ),
      picture(
        'a brighter',
        blobs(1, 640, 480, (value) => value + 12),
      ),
      picture('b again', blobs(2, 100, 100)),
    ]);
    expect(twins).toEqual([0, 1, 0, 0, 0, 1]);
  });

  test('are not merely pictures of one kind', () => {
    const pictures = Array.from({ length: 300 }, (_, seed) => picture(`${seed}`, blobs(seed, 64, 64)));
    expect(new Set(twinNumbers(pictures)).size).toBe(300);
  });

  test('are never guessed from plain walls; equal bytes are twins all the same', () => {
    const plain = (value: number) => blobs(1, 64, 64, () => value);
    expect(lookOf(plain(90))).toBeNull();
    expect(twinNumbers([picture('x', plain(90)), picture('y', plain(90)), picture('x', plain(90))])).toEqual([0, 1, 0]);
  });

  test('may be as small as one pixel', () => {
    expect(lookOf({ data: Buffer.from([1, 2, 3]), width: 1, height: 1 })).toBeNull();
    expect(lookOf(blobs(1, 5, 3))).not.toBeNull();
  });
});
