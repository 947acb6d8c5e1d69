import turbo from '@julusian/jpeg-turbo';
import { expect, test } from 'vitest';
import { settingsFrom } from '../../../../scripts/camera-farm/options.ts';
import { populate } from '../../../../scripts/camera-farm/population.ts';
import { CONCEPT_NAMES } from '../../../../scripts/camera-farm/scenes/index.ts';
import { conditionsAt, phaseOf, WEATHERS } from '../../../../scripts/camera-farm/scenes/light.ts';
import { SceneRenderer } from '../../../../scripts/camera-farm/scenes/renderer.ts';

const NOON = Date.UTC(2026, 5, 1, 12);
const small = (seed: string) => settingsFrom({ cameras: CONCEPT_NAMES.length, skew: 0, seed, width: 176, height: 144 });

function pictures(seed: string, atMs = NOON): Buffer[] {
  const renderer = new SceneRenderer(small(seed));
  return populate(small(seed)).map((camera) => renderer.render(camera, atMs, 1));
}

function grey(jpeg: Buffer): Buffer {
  return turbo.decompressSync(jpeg, { format: turbo.FORMAT_GRAY }).data;
}

function spread(values: Buffer): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, deviation: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) };
}

test('equal seeds give equal cameras and equal pictures, other seeds others', () => {
  expect(populate(small('a'))).toEqual(populate(small('a')));
  expect(pictures('a')).toEqual(pictures('a'));
  expect(pictures('a')).not.toEqual(pictures('b'));
});

test('a scene moves with time', () => {
  const later = pictures('a', NOON + 60_000);
  pictures('a').forEach((picture, i) => expect(picture.equals(later[i] as Buffer)).toBe(false));
});

test('no concept looks like another, and none is black or blank in any light or weather', () => {
  const renderer = new SceneRenderer(small('c'));
  const cameras = populate(small('c'));
  expect(new Set(cameras.map((camera) => camera.concept))).toEqual(new Set(CONCEPT_NAMES));
  for (const [index, weather] of [...WEATHERS, 'clear' as const, 'clear' as const].entries()) {
    const sun = [0.75, 0.75, 0.5, 0.5, 0.5, 0, -1][index] as number;
    const seen = cameras.map((camera) => grey(renderer.render(camera, NOON, 1, { sun, weather })));
    for (const [i, picture] of seen.entries()) {
      const { mean, deviation } = spread(picture);
      expect(mean, `${cameras[i]!.concept} ${weather} ${sun}`).toBeGreaterThan(20);
      expect(deviation, `${cameras[i]!.concept} ${weather} ${sun}`).toBeGreaterThan(7);
      for (const other of seen.slice(0, i)) {
        const difference = picture.reduce((sum, value, at) => sum + Math.abs(value - (other[at] as number)), 0);
        expect(difference / picture.length).toBeGreaterThan(2);
      }
    }
  }
});

test('concepts have a long tail, and also forty cameras show many of them', () => {
  const counts = (cameras: number) => {
    const found = populate(settingsFrom({ cameras })).map((camera) => camera.concept);
    return CONCEPT_NAMES.map((name) => found.filter((concept) => concept === name).length);
  };
  const many = counts(2000);
  expect(many).toEqual([...many].sort((a, b) => b - a));
  expect(many[0]! / many.at(-1)!).toBeGreaterThan(8);
  expect(counts(40).filter((count) => count > 0).length).toBeGreaterThanOrEqual(17);
});

test('the sun stands where it stands: noon in Greenwich is night in Auckland', () => {
  expect(phaseOf(conditionsAt(NOON, 51, 0, 1).sun)).toBe('day');
  expect(phaseOf(conditionsAt(NOON, -37, 175, 1).sun)).toBe('night');
});
