import { expect, test } from 'vitest';
import { argMax, decidingHead, fusedScores } from '../../../common/domain/model.ts';

const fusion = { ratios: [1.088, 0.4, 0.02, 0.3], threshold: 0.3 };

test.each([
  ['both winners frequent: M0 decides', [0.6, 0.4, 0, 0], [0.1, 0.9, 0, 0], 'm0'],
  ['one frequent, one rare: the surer head decides', [0.6, 0.2, 0.2, 0], [0.1, 0.1, 0.8, 0], 'm1'],
  ['one frequent, one rare, M0 surer', [0.9, 0.1, 0, 0], [0.1, 0.1, 0.8, 0], 'm0'],
  ['equality with T_r falls to the surer head', [0, 0, 0, 0.7], [0, 0, 0, 0.6], 'm0'],
  ['equal scores: M0', [0.8, 0.2, 0, 0], [0, 0.2, 0.8, 0], 'm0'],
] as const)('Eq. 3: %s', (_, m0, m1, head) => {
  expect(decidingHead(m0, m1, fusion)).toBe(head);
});

test('Eq. 3: both winners rare: M1 decides, however sure M0 is', () => {
  const rare = { ratios: [1.088, 0.02, 0.01], threshold: 0.3 };
  expect(decidingHead([0, 0.99, 0.01], [0, 0.4, 0.6], rare)).toBe('m1');
});

test('the first of equal scores wins', () => {
  expect(argMax([0.1, 0.4, 0.4])).toBe(1);
});

test('what decides: the head that Eq. 3 chooses, the mean where the manifest says so, the only head', () => {
  const heads = { m0: Float32Array.of(0.6, 0.4, 0, 0), m1: Float32Array.of(0.5, 0, 0.5, 0) };
  expect(fusedScores(heads, fusion)).toBe(heads.m0);
  expect([...fusedScores(heads, { ...fusion, rule: 'mean' })]).toEqual([0.55, 0.2, 0.25, 0].map(Math.fround));
  expect(fusedScores({ m0: heads.m0 }, fusion)).toBe(heads.m0);
});
