import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decide, meanDifference } from '../../../../agent/classify/gate.ts';
import type { GateInput } from '../../../../agent/classify/gate.ts';

const options = { threshold: 4, maxAgeMs: 600_000, auditShare: 0.02 };
const scene = new Uint8Array(32 * 24).fill(100);
const memory = {
  thumbnail: Buffer.from(scene).toString('base64'),
  classifiedAt: 1_000,
  label: 'street',
  modelVersion: 'a',
  scores: { fused: [{ label: 'street', score: 0.9 }], m0: [{ label: 'street', score: 0.9 }] },
};
const input: GateInput = { cameraId: 7, now: 2_000, thumbnail: scene, memory, modelVersion: 'a', random: 0.5 };

test('a camera that was never classified is classified', () => {
  expect(decide({ ...input, memory: undefined }, options)).toEqual({ action: 'classify', reason: 'first' });
});

test('an unchanged scene inherits its decision, a changed one is classified', () => {
  expect(decide(input, options)).toEqual({ action: 'inherit' });
  const changed = scene.map((value) => value + 5);
  expect(decide({ ...input, thumbnail: changed }, options)).toEqual({ action: 'classify', reason: 'changed' });
});

test('slow changes add up, because the comparison is with the last classified frame', () => {
  const drifted = [1, 2, 3, 4, 5].map((step) => decide({ ...input, thumbnail: scene.map((v) => v + step) }, options));
  expect(drifted.map(({ action }) => action)).toEqual(['inherit', 'inherit', 'inherit', 'inherit', 'classify']);
});

test('a decision ends at its maximum age', () => {
  expect(decide({ ...input, now: 601_000 }, options)).toEqual({ action: 'classify', reason: 'age' });
});

test('one frame in fifty is audited; a 304 has nothing to audit', () => {
  expect(decide({ ...input, random: 0.019 }, options)).toEqual({ action: 'audit' });
  expect(decide({ ...input, random: 0.019, thumbnail: undefined }, options)).toEqual({ action: 'inherit' });
});

test('after a switch of models cameras are classified anew spread over the maximum age', () => {
  const due = Array.from({ length: 1_000 }, (_, i) =>
    [0.25, 0.5, 0.75, 1].findIndex(
      (share) =>
        decide({ ...input, cameraId: i + 1, modelVersion: 'b', now: 1_000 + share * 600_000 }, options).action ===
        'classify',
    ),
  );
  for (const quarter of [0, 1, 2, 3]) {
    const count = due.filter((found) => found === quarter).length;
    expect(count).toBeGreaterThan(200);
    expect(count).toBeLessThan(300);
  }
});

test('the difference of thumbnails is a metric in grey levels', () => {
  const thumbnail = fc.uint8Array({ minLength: 12, maxLength: 12 });
  fc.assert(
    fc.property(thumbnail, thumbnail, (a, b) => {
      expect(meanDifference(a, a)).toBe(0);
      expect(meanDifference(a, b)).toBe(meanDifference(b, a));
      expect(meanDifference(a, b)).toBeLessThanOrEqual(255);
    }),
  );
  expect(meanDifference(new Uint8Array(12), new Uint8Array(8))).toBe(Number.POSITIVE_INFINITY);
});
