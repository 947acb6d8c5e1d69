import { describe, expect, test } from 'vitest';
import { Cleaner } from '../../../../agent/clean/clean.ts';
import { hasStructure, Placeholders } from '../../../../agent/clean/placeholders.ts';
import { isSameCard } from '../../../../common/domain/perceptual-hash.ts';
import { findCards } from '../../../../coordinator/results/health/card-groups.ts';
import type { StillPicture } from '../../../../coordinator/results/health/card-groups.ts';
import { Canvas } from '../../../../scripts/camera-farm/scenes/canvas.ts';
import { encodeJpeg } from '../../../../scripts/camera-farm/scenes/jpeg.ts';
import { letter, letteringWidth } from '../../../../scripts/camera-farm/scenes/lettering.ts';

const [WIDTH, HEIGHT] = [352, 288];
const NAMES = ['HARBOUR', 'NORTH GATE', 'A 7 KM 112', 'BRIDGE STREET WEST', 'TOWN HALL', 'I-70 AT MILEPOST 4'];
const QUALITIES = [82, 40, 60, 90, 30, 75];

/** A card with a line for all cameras of its host and one for each of them. */
function drawCard(name: string, quality: number): Buffer {
  const canvas = new Canvas(WIDTH, HEIGHT);
  canvas.band(0, 1, (_x, y, out) => void ([out[0], out[1], out[2]] = [70 - 30 * y, 78 - 30 * y, 92 - 30 * y]));
  canvas.ellipse(canvas.aspect / 2, 0.38, 0.13, 0.13, [120, 130, 146]);
  canvas.line([canvas.aspect / 2 - 0.13, 0.5], [canvas.aspect / 2 + 0.13, 0.26], 0.03, [206, 92, 84]);
  const write = (text: string, y: number, pixel: number): void =>
    letter(canvas, text, (WIDTH - letteringWidth(text, pixel)) >> 1, Math.round(HEIGHT * y), pixel, [226, 230, 236]);
  write('CAMERA UNAVAILABLE', 0.68, 2);
  write(name, 0.8, 1);
  return encodeJpeg(canvas.data, WIDTH, HEIGHT, quality);
}

/** What an agent tells of a picture that stands still. */
async function hashOf(bytes: Buffer): Promise<string> {
  const cleaner = new Cleaner();
  const frame = { bytes, notModified: false, fetchedAt: 1_795_046_400_000, transferBytes: bytes.length };
  const { memory } = await cleaner.clean(frame, {});
  const { evidence } = await cleaner.clean({ ...frame, fetchedAt: frame.fetchedAt + 60_000 }, memory);
  return String(evidence['picture']);
}

/** Each picture by one camera at a place of its own. */
const shown = (hashes: readonly string[], host = 'one.example'): StillPicture[] => {
  const byHash = new Map<string, StillPicture & { places: string[] }>();
  for (const [index, hash] of hashes.entries()) {
    const known = byHash.get(hash) ?? { host, hash, cameras: 0, places: [] };
    byHash.set(hash, { ...known, cameras: known.cameras + 1, places: [...known.places, `${host} ${index}`] });
  }
  return [...byHash.values()];
};

let seed = 7;
const random = (below: number): number => (seed = (Math.imul(seed, 48_271) >>> 0) % 2_147_483_647) % below;
const randomHash = (): string => Array.from({ length: 48 }, () => random(16).toString(16)).join('');
function turned(hash: string, bits: number): string {
  const digits = [...hash];
  for (let i = 0; i < bits; i++) {
    const at = random(digits.length);
    digits[at] = (Number.parseInt(digits[at]!, 16) ^ (1 << random(4))).toString(16);
  }
  return digits.join('');
}
const NONE: ReadonlySet<string> = new Set();

describe('cards that differ in a name and in their encoding', () => {
  test('are one card, which an agent finds on every camera', async () => {
    const hashes = await Promise.all(NAMES.map((name, index) => hashOf(drawCard(name, QUALITIES[index]!))));
    // No three are equal: by equal hashes alone nothing would be learned.
    expect(new Set(hashes).size).toBeGreaterThan(NAMES.length / 2);
    const cards = findCards(shown(hashes), NONE);
    expect(cards).toMatchObject([{ host: 'one.example', cameras: NAMES.length }]);
    const agent = new Placeholders();
    agent.set(cards.map(({ hash }) => hash));
    expect(hashes.map((hash) => agent.has(hash))).toEqual(NAMES.map(() => true));
  });

  test('are the same card in whatever order they are seen', () => {
    const centre = randomHash();
    const pictures = shown([centre, ...Array.from({ length: 12 }, () => turned(centre, 3))]);
    const found = findCards(pictures, NONE);
    expect(found[0]?.cameras).toBeGreaterThanOrEqual(3);
    for (let turn = 0; turn < pictures.length; turn++) {
      const rotated = [...pictures.slice(turn), ...pictures.slice(0, turn)];
      expect(findCards(rotated.toReversed(), NONE)).toEqual(found);
    }
  });
});

test('pictures are near for the coordinator exactly where they are the same for agents', () => {
  let near = 0;
  for (let i = 0; i < 2_000; i++) {
    const card = randomHash().replaceAll(/[^1-4]/g, '0');
    if (!hasStructure(card)) continue;
    const other = turned(card, random(8));
    const agent = new Placeholders();
    agent.set([card]);
    expect(isSameCard(card, other)).toBe(agent.has(other));
    if (isSameCard(card, other)) near++;
  }
  expect(near).toBeGreaterThan(500);
});

test('pictures further apart, of too few cameras, of one place or of several hosts are no card', () => {
  const card = randomHash();
  const far = [card, turned(turned(card, 9), 9), randomHash()];
  expect(findCards(shown(far), NONE)).toEqual([]);
  expect(findCards(shown([card, turned(card, 1)]), NONE)).toEqual([]);
  const onePlace = shown([card, card, card]).map((picture) => ({ ...picture, places: ['50 8'] }));
  expect(findCards(onePlace, NONE)).toEqual([]);
  expect(findCards([...shown([card, card]), ...shown([card, card], 'two.example')], NONE)).toEqual([]);
});

test('a candidate keeps standing for its card while other pictures of it become more frequent', () => {
  const card = randomHash();
  const other = turned(card, 2);
  const pictures = shown([card, other, other, other]);
  expect(findCards(pictures, NONE)).toMatchObject([{ hash: other, cameras: 4 }]);
  expect(findCards(pictures, new Set([card]))).toMatchObject([{ hash: card, cameras: 4 }]);
});
