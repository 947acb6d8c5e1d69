import { expect, test } from 'vitest';
import { LatestPictures } from '../../../../coordinator/results/latest.ts';
import { Traffic } from '../../../../coordinator/results/traffic.ts';

test('the newest picture of a camera is held, an older one that comes later is not', () => {
  const latest = new LatestPictures(new Traffic());
  expect(latest.put(1, Buffer.from('new'), 20)).toBe(true);
  expect(latest.put(1, Buffer.from('old'), 10)).toBe(false);
  expect(latest.get(1)).toEqual({ bytes: Buffer.from('new'), at: 20 });
  expect(latest.get(2)).toBeUndefined();
});

test('the least recently used pictures go when memory is full', () => {
  const latest = new LatestPictures(new Traffic(), 10);
  latest.put(1, Buffer.alloc(4), 1);
  latest.put(2, Buffer.alloc(4), 1);
  latest.get(1);
  latest.put(3, Buffer.alloc(4), 1);
  expect([1, 2, 3].filter((camera) => latest.get(camera))).toEqual([1, 3]);
  expect(latest.put(4, Buffer.alloc(11), 1)).toBe(false);
});
