import { expect, test } from 'vitest';
import { decodeRgb } from '../../../../common/inference/decode.ts';
import { cameraCounts, demoCameras } from '../../../../scripts/train-demo/cameras.ts';
import { figuresOf, medianFigures } from '../../../../scripts/train-demo/demo.ts';
import { demoBars } from '../../../../scripts/train-demo/bars.ts';
import type { DemoFigures, DemoResult } from '../../../../scripts/train-demo/demo.ts';
import { showDemo } from '../../../../scripts/camfleet/train-output.ts';
import { PICTURE, renderPicture } from '../../../../scripts/train-demo/picture.ts';
import type { Evaluation, TrainingReport } from '../../../../common/domain/training.ts';

const cameras = demoCameras(5);

test('about 430 cameras of 19 concepts, from 60 down to 5 a class, and 20 further ones a class for the test', () => {
  const counts = cameraCounts(19);
  expect([counts[0], counts[18]]).toEqual([60, 5]);
  expect(counts).toEqual([...counts].sort((a, b) => b - a));
  expect(Math.abs(counts.reduce((sum, n) => sum + n, 0) - 430)).toBeLessThan(10);
  for (const concept of new Set(cameras.map((camera) => camera.concept))) {
    const own = cameras.filter((camera) => camera.concept === concept);
    expect(own.filter(({ part }) => part === 'test')).toHaveLength(20);
    expect(own.filter(({ part }) => part === 'reference').length).toBeGreaterThan(0);
    expect(own.filter(({ part }) => part === 'training').length).toBeGreaterThan(3);
  }
});

test('every camera takes two or three pictures, has a scene of its own and one part', () => {
  expect(cameras.every(({ times }) => times.length === 2 || times.length === 3)).toBe(true);
  expect(new Set(cameras.map(({ seed }) => seed)).size).toBe(cameras.length);
  expect(new Set(cameras.map(({ id }) => id)).size).toBe(cameras.length);
});

test('equal seeds give equal cameras and pictures, others give others', async () => {
  expect(demoCameras(5)).toEqual(cameras);
  const [camera] = cameras as [(typeof cameras)[number]];
  const [other] = demoCameras(6) as typeof cameras;
  const at = camera.times[0] as number;
  const picture = renderPicture(camera, at);
  expect(renderPicture(camera, at).equals(picture)).toBe(true);
  expect(renderPicture({ ...camera, seed: (other as typeof camera).seed }, at).equals(picture)).toBe(false);
  expect(renderPicture(camera, camera.times[1] as number).equals(picture)).toBe(false);
  expect(await decodeRgb(picture)).toMatchObject(PICTURE);
});

test('the rarest are the six classes with the fewest training pictures', () => {
  const f1 = [1, 1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
  const evaluation = { accuracy: 0.5, perClass: f1.map((value) => ({ f1: value })) } as Evaluation;
  const report = {
    counts: { training: [90, 80, 6, 5, 4, 3, 2, 1] },
    test: { m0: evaluation, m1: evaluation, mean: evaluation, fused: evaluation },
  } as unknown as TrainingReport;
  expect(figuresOf(report).rareM0).toBeCloseTo(0.35, 10);
});

test('differences are paired within a seed before their median is taken', () => {
  const of = (rareM0: number, rareFused: number): DemoFigures => ({ rareM0, rareM1: 0, rareMean: 0, rareFused, accuracyM0: 0.5, accuracyM1: 0, accuracyMean: 0, accuracyFused: 0.5 }); // prettier-ignore
  const { figures, differences } = medianFigures([of(0.1, 0.3), of(0.5, 0.6), of(0.4, 0.9)]);
  expect([figures.rareM0, figures.rareFused]).toEqual([0.4, 0.6]);
  expect(differences.rare).toBeCloseTo(0.2, 10);
});

test('each bar is met or missed by the median, its ends included', () => {
  const of = (rareM0: number, rare: number, accuracy: number) =>
    demoBars({ figures: { rareM0 } as DemoFigures, differences: { rare, accuracy } }).map(({ name, met }) => [
      name,
      met,
    ]);
  expect(of(0.3, 0.05, -0.02)).toEqual([['difficulty', true], ['gain', true], ['accuracy', true]]); // prettier-ignore
  expect(of(0.7, 0.1 - 0.05, 0.98 - 1)).toEqual([['difficulty', true], ['gain', true], ['accuracy', true]]); // prettier-ignore
  expect(of(0.29, 0.049, -0.021).map(([, met]) => met)).toEqual([false, false, false]);
  expect(of(0.71, 1, 1).map(([, met]) => met)).toEqual([false, true, true]);
});

test('the command prints each bar, in words and for programs', () => {
  const evaluation = { images: 1, accuracy: 0.5, macroF1: 0.5, weightedF1: 0.5, perClass: [] };
  const report = { test: { m0: evaluation, m1: evaluation, mean: evaluation, fused: evaluation }, dataset: { classes: [] }, counts: {}, ratios: [], iterations: [], fusion: { threshold: 0.3, rule: '' }, settings: { passes: 9 }, warnings: [], seconds: 1 }; // prettier-ignore
  const figures = { rareM0: 0.4, rareM1: 0.4, rareMean: 0.4, rareFused: 0.5, accuracyM0: 0.6, accuracyM1: 0.6, accuracyMean: 0.6, accuracyFused: 0.55 }; // prettier-ignore
  const result = { seed: 1, figures, report, artifact: 'a', model: { version: 'v', manifest: {} } } as unknown as DemoResult; // prettier-ignore
  const said = (json: boolean): string => {
    let text = '';
    const terminal = { out: (more: string) => void (text += more), err: () => undefined, isInteractive: false, showsProgress: false }; // prettier-ignore
    showDemo(terminal, [result], medianFigures([figures]), { json });
    return text;
  };
  expect(said(false)).toMatch(/^Bar met: mean F1 of the six rarest by M0 from 0\.3 to 0\.7: 0\.400$/m);
  expect(said(false)).toMatch(/^Bar met: the same, fused − M0, at least \+0\.05: \+0\.100$/m);
  expect(said(false)).toMatch(/^Bar MISSED: accuracy, fused − M0, at least −0\.02: −0\.050$/m);
  const { bars } = JSON.parse(said(true)) as { bars: { name: string; met: boolean; value: number; least: number }[] };
  expect(bars.map(({ name, met, least }) => [name, met, least])).toEqual([['difficulty', true, 0.3], ['gain', true, 0.05], ['accuracy', false, -0.02]]); // prettier-ignore
});
