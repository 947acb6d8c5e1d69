import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import jpegTurbo from '@julusian/jpeg-turbo';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { Cleaner } from '../../../../agent/clean/clean.ts';
import type { Cleaned } from '../../../../agent/clean/clean.ts';
import { distance } from '../../../../common/domain/perceptual-hash.ts';
import { clockOf, unlikeness, unlikenessShifted } from '../../../../agent/clean/fingerprints.ts';
import { observeView } from '../../../../agent/clean/scenes.ts';
import { cleanMemorySchema } from '../../../../common/domain/frame.ts';
import type { CleanMemory } from '../../../../common/domain/frame.ts';
import { placeholderPicture } from '../../../../scripts/camera-farm/scenes/broken-pictures.ts';
import { CONCEPT_NAMES } from '../../../../scripts/camera-farm/scenes/index.ts';
import type { Conditions } from '../../../../scripts/camera-farm/scenes/light.ts';
import { SceneRenderer } from '../../../../scripts/camera-farm/scenes/renderer.ts';

const shared = process.env['CAMFLEET_SHARED'] ?? resolve(import.meta.dirname, '../../../../../shared');
const MINUTE = 60_000;
const CLEAR: Conditions = { sun: 0.75, weather: 'clear' };

class Camera {
  memory: CleanMemory = {};
  at = 1_795_046_400_000;
  readonly cleaner = new Cleaner();

  async show(bytes: Buffer, afterMs = MINUTE): Promise<Cleaned> {
    this.at += afterMs;
    const frame = { bytes, notModified: false, fetchedAt: this.at, transferBytes: bytes.length };
    const cleaned = await this.cleaner.clean(frame, this.memory);
    this.memory = cleanMemorySchema.parse(JSON.parse(JSON.stringify(cleaned.memory)));
    expect(JSON.stringify(this.memory).length).toBeLessThan(900);
    return cleaned;
  }
}

const WIDTH = 320;
const HEIGHT = 240;

/** A street with a clock below; `scene` decides what it shows, `noise` how much its sensor adds. */
function street({ scene = 0, tick = 0, noise = 0 }): Buffer {
  const data = Buffer.alloc(WIDTH * HEIGHT);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [i % WIDTH, Math.floor(i / WIDTH)];
    const grain = noise === 0 ? 0 : (Math.random() - 0.5) * noise;
    const wall = 110 + 50 * Math.sin((x + scene * 31) / 23) + 30 * Math.cos((y * (scene + 2)) / 40);
    // Digits 8 px wide in a line at the bottom; the last two go on.
    const digit = Math.floor((x - 20) / 8);
    const inClock = y > 222 && y < 234 && digit >= 0 && digit < 19;
    const lit = inClock && ((x * 7 + y * 3 + (digit > 16 ? tick * 13 : digit)) & 4) !== 0;
    data[i] = Math.max(0, Math.min(255, Math.round(inClock ? (lit ? 250 : 10) : wall + grain)));
  }
  const size = { width: WIDTH, height: HEIGHT, quality: 80 };
  return jpegTurbo.compressSync(data, { format: jpegTurbo.FORMAT_GRAY, subsampling: jpegTurbo.SAMP_GRAY, ...size });
}

describe('frozen by content', () => {
  test('a camera that shows an old picture under a clock that goes on is frozen', async () => {
    const camera = new Camera();
    for (let i = 0; i < 5; i++) await camera.show(street({ scene: i, tick: i, noise: 8 }));
    const seen: Cleaned[] = [];
    for (let i = 0; i < 14; i++) seen.push(await camera.show(street({ scene: 5, tick: i })));
    const verdicts = seen.map(({ verdict }) => verdict);
    expect(verdicts.slice(0, 11)).not.toContain('frozen');
    // They are new pictures until then, not the same one again.
    expect(verdicts.slice(0, 11)).not.toContain('duplicate');
    expect(verdicts.slice(-2)).toEqual(['frozen', 'frozen']);
    expect(seen.at(-1)?.evidence['unchangedMs']).toBeGreaterThan(10 * MINUTE);
    expect((await camera.show(street({ scene: 6, tick: 20, noise: 8 }))).verdict).toBe('good');
  });

  test('a live camera that looks at a still scene under a clock is not', async () => {
    const camera = new Camera();
    for (let i = 0; i < 60; i++) expect((await camera.show(street({ tick: i, noise: 6 }))).verdict).toBe('good');
  });

  test('what moves in more than a line or two is the scene', () => {
    const still = 'A'.repeat(48);
    const changed = (...tiles: number[]): string => [...still].map((c, i) => (tiles.includes(i) ? 'B' : c)).join('');
    expect(clockOf(still, still, '')).toBe('');
    expect(clockOf(still, changed(40, 41, 42), '')).toBe('opq');
    expect(clockOf(still, changed(41), 'o')).toBe('op');
    expect(clockOf(still, changed(0, 40, 41), '')).toBe('Aop');
    expect(clockOf(still, changed(0, 20, 41), '')).toBeUndefined();
    expect(clockOf(still, changed(...Array.from({ length: 13 }, (_, i) => i)), '')).toBeUndefined();
    // A second line that changes later is one line too many.
    expect(clockOf(still, changed(20), 'Ao')).toBeUndefined();
  });
});

describe('placeholders', () => {
  const card = placeholderPicture({ width: 352, height: 288 }, 'one.example').bytes;
  const learn = async (bytes: Buffer): Promise<string> => {
    const camera = new Camera();
    await camera.show(bytes);
    const { evidence } = await camera.show(bytes);
    expect(evidence['picture']).toMatch(/^[0-9a-f]{48}$/);
    return String(evidence['picture']);
  };

  test('a card that the fleet has learned is told at once, in other sizes and qualities too', async () => {
    const hash = await learn(card);
    const others = [
      card,
      await sharp(card).jpeg({ quality: 40 }).toBuffer(),
      await sharp(card).resize(704, 576).jpeg().toBuffer(),
      await sharp(card).resize(320, 240, { fit: 'fill' }).png().toBuffer(),
    ];
    for (const bytes of others) {
      const camera = new Camera();
      camera.cleaner.placeholders.set([hash]);
      expect((await camera.show(bytes)).verdict).toBe('placeholder');
      expect((await camera.show(bytes)).verdict).toBe('placeholder');
    }
  });

  test('one that is learned later is told without being decoded again, and is good again when it turns out to be none', async () => {
    const camera = new Camera();
    expect((await camera.show(card)).verdict).toBe('good');
    expect((await camera.show(card)).verdict).toBe('duplicate');
    camera.cleaner.placeholders.set([await learn(card)]);
    expect(await camera.show(card)).toMatchObject({ verdict: 'placeholder', evidence: { repeats: 'bytes' } });
    camera.cleaner.placeholders.set([]);
    expect((await camera.show(card)).verdict).toBe('duplicate');
  });

  test('pictures without structure and pictures that change are no cards', async () => {
    const camera = new Camera();
    for (let i = 0; i < 4; i++) {
      const { evidence } = await camera.show(street({ scene: i, tick: i, noise: 8 }));
      expect(evidence['picture']).toBeUndefined();
    }
    camera.cleaner.placeholders.set(['0'.repeat(32)]);
    expect((await camera.show(street({ scene: 9 }))).verdict).toBe('good');
  });
});

describe('scenes of the farm', () => {
  const renderer = new SceneRenderer({ seed: 'content', width: 352, height: 288, quality: 80 });
  const camera = (concept: string) => ({ id: concept, concept, name: concept, place: { latitude: 50, longitude: 0 } }) as never; // prettier-ignore
  const CONDITIONS: [string, Conditions][] = [
    ['night', { sun: -1, weather: 'clear' }],
    ['night in fog', { sun: -1, weather: 'fog' }],
    ['night in rain', { sun: -0.75, weather: 'rain' }],
    ['fog', { sun: 0.5, weather: 'fog' }],
    ['snow', { sun: 0.5, weather: 'snow' }],
  ];

  test.each(CONDITIONS)(
    '%s is neither black nor blank nor a card, and nothing happened to the camera',
    async (_name, conditions) => {
      // prettier-ignore
      const hashes = ['one', 'two', 'three', 'four', 'five', 'six'].map((host) => placeholderPicture({ width: 352, height: 288 }, host).bytes); // prettier-ignore
      const cards: string[] = [];
      for (const bytes of hashes) {
        const shown = new Camera();
        await shown.show(bytes);
        cards.push(String((await shown.show(bytes)).evidence['picture']));
      }
      for (const concept of CONCEPT_NAMES) {
        const shown = new Camera();
        shown.cleaner.placeholders.set(cards);
        for (let turn = 0; turn < 6; turn++) {
          const bytes = renderer.render(camera(concept), shown.at, turn, conditions);
          expect((await shown.show(bytes)).verdict, `${concept} ${turn}`).toBe('good');
        }
        expect(shown.memory.event).toBeUndefined();
      }
    },
  );

  test('another scene in the same light that stays is an event, with the moment at which it came', async () => {
    let found = 0;
    for (const [index, concept] of CONCEPT_NAMES.slice(0, 12).entries()) {
      const shown = new Camera();
      const other = CONCEPT_NAMES[index + 1] as string;
      const show = (name: string, turn: number) => shown.show(renderer.render(camera(name), shown.at, turn, CLEAR));
      for (let turn = 0; turn < 4; turn++) await show(concept, turn);
      const before = shown.at;
      let told: Cleaned | undefined;
      for (let turn = 4; turn < 13; turn++) told = await show(other, turn);
      if (shown.memory.event === undefined) continue;
      found++;
      expect(shown.memory.event).toMatchObject({ at: before + MINUTE });
      expect(told?.verdict).toBe('good');
      expect(Object.values(told?.evidence ?? {})).toContain(before + MINUTE);
    }
    // The others differ in brightness or contrast as much as weather does, so that nothing is said.
    expect(found).toBeGreaterThanOrEqual(4);
  });

  test('a look elsewhere, a tour, and weather that changes are none', async () => {
    const shown = new Camera();
    const frame = (concept: string, turn: number, conditions = CLEAR): Buffer => renderer.render(camera(concept), shown.at, turn, conditions); // prettier-ignore
    for (let turn = 0; turn < 8; turn++) await shown.show(frame('street', turn));
    for (let turn = 0; turn < 3; turn++) await shown.show(frame('yard', turn));
    for (let turn = 8; turn < 20; turn++) await shown.show(frame('street', turn));
    expect(shown.memory.event).toBeUndefined();
    for (let turn = 0; turn < 30; turn++) await shown.show(frame(CONCEPT_NAMES[turn % 5] as string, turn));
    expect(shown.memory.event).toBeUndefined();
    const weather = new Camera();
    for (const [, conditions] of CONDITIONS)
      for (let turn = 0; turn < 10; turn++) await weather.show(frame('highway', turn, conditions));
    expect(weather.memory.event).toBeUndefined();
  });

  test('a lens that blurs is suspected after hours, while the camera stays good', async () => {
    const shown = new Camera();
    const frame = (turn: number): Buffer => renderer.render(camera('street'), shown.at, turn, CLEAR);
    for (let turn = 0; turn < 45; turn++) await shown.show(frame(turn), 5 * MINUTE);
    const dirty = async (turn: number): Promise<Buffer> => sharp(frame(turn)).blur(9).jpeg({ quality: 95 }).toBuffer();
    const first = await shown.show(await dirty(45), 5 * MINUTE);
    expect(first.evidence['blurredAt']).toBeUndefined();
    const began = shown.at;
    let last: Cleaned | undefined;
    for (let turn = 46; turn < 86; turn++) last = await shown.show(await dirty(turn), 5 * MINUTE);
    expect(last).toMatchObject({ verdict: 'good', evidence: { blurredAt: began } });
  });

  test('a camera that was moved once, and is asked every minute, has its lens suspected, too, once for each time', () => {
    const sharp = { hash: '0'.repeat(32), mean: 128, stdev: 50, detail: 0.3 };
    let at = 1_795_046_400_000;
    let memory: CleanMemory = { event: { kind: 'moved', at: at - 60 * MINUTE, foundAt: at - 50 * MINUTE } };
    const look = (pictures: number, detail: number): void => {
      for (let i = 0; i < pictures; i++)
        memory = observeView(memory, { ...sharp, detail, at: (at += MINUTE), beforeAt: at - MINUTE });
    };
    const told: number[] = [];
    for (let time = 0; time < 2; time++) {
      look(60, 0.3);
      const began = at + MINUTE;
      look(170, 0.05);
      expect(memory.event?.at).not.toBe(began);
      look(30, 0.05);
      expect(memory.event).toMatchObject({ kind: 'blurred', at: began });
      told.push(memory.event!.foundAt);
      look(60, 0.05);
      expect(memory.event?.foundAt).toBe(told.at(-1));
    }
    expect(new Set(told).size).toBe(2);
  });

  test('a camera that was turned by a few degrees and stays so was moved', async () => {
    const wide = new SceneRenderer({ seed: 'content', width: 480, height: 360, quality: 92 });
    // By 17 % of its width and 11 % of its height; of water little but waves is left.
    const events: (string | undefined)[] = [];
    for (const concept of CONCEPT_NAMES.slice(0, 12)) {
      const shown = new Camera();
      const show = async (turn: number, left: number, top: number) => {
        const whole = wide.render(camera(concept), shown.at, turn, CLEAR);
        await shown.show(await sharp(whole).extract({ left, top, width: 352, height: 264 }).jpeg().toBuffer());
      };
      for (let turn = 0; turn < 4; turn++) await show(turn, 10, 40);
      const before = shown.at;
      for (let turn = 4; turn < 14; turn++) await show(turn, 70, 70);
      const { event } = shown.memory;
      events.push(event?.kind);
      if (event) expect(event, concept).toMatchObject({ at: before + MINUTE });
    }
    expect(events.filter((kind) => kind === 'moved').length, events.join()).toBeGreaterThanOrEqual(10);
  });
});

describe('hashes', () => {
  const of = (bits: readonly (readonly [number, number])[]): string => {
    const digits = Array<number>(32).fill(0);
    for (const [x, y] of bits) digits[y * 4 + (x >> 2)]! |= 8 >> (x & 3);
    return digits.map((digit) => digit.toString(16)).join('');
  };

  test('distance counts bits, and a view that turned is the same one shifted', () => {
    const edges = Array.from({ length: 30 }, (_, i) => [(i * 7) % 12, (i * 3) % 7] as const);
    const turned = edges.map(([x, y]) => [x + 2, y + 1] as const);
    expect(distance(of([[0, 0]]), of([[1, 0]]))).toBe(2);
    expect(unlikeness(of(edges), of(edges))).toBe(0);
    expect(unlikeness(of(edges), of(turned))).toBeGreaterThan(0.7);
    expect(unlikenessShifted(of(edges), of(turned))).toBeLessThan(0.2);
  });
});

describe.skipIf(!existsSync(join(shared, 'cameras')))('real cameras (needs the shared data)', () => {
  const files = (folder: string): Buffer[] =>
    readdirSync(join(shared, 'cameras', folder))
      .sort()
      .map((name) => readFileSync(join(shared, 'cameras', folder, name)));

  async function learnedCards(): Promise<string[]> {
    const cards = new Set<string>();
    for (const bytes of files('placeholders')) {
      const camera = new Camera();
      await camera.show(bytes);
      const { evidence } = await camera.show(bytes);
      if (evidence['picture'] !== undefined) cards.add(String(evidence['picture']));
    }
    return [...cards];
  }

  test('their cards are known again, however few of them were learned', async () => {
    const cards = await learnedCards();
    expect(cards.length).toBeGreaterThanOrEqual(2);
    const verdicts: string[] = [];
    for (const bytes of files('placeholders')) {
      const camera = new Camera();
      // One card of a provider in several encodings.
      camera.cleaner.placeholders.set([cards[0] as string, cards.at(-1) as string]);
      verdicts.push((await camera.show(bytes)).verdict);
    }
    expect(verdicts.filter((verdict) => verdict === 'placeholder')).toHaveLength(6);
  });

  test.each(['oneday', 'helios', 'sydney'])(
    'no picture of %s is taken for a card, black, blank or frozen, or for a moved camera',
    async (folder) => {
      // prettier-ignore
      const cards = await learnedCards();
      const day = new Camera();
      day.cleaner.placeholders.set(cards);
      for (const bytes of files(folder)) {
        const single = new Camera();
        single.cleaner.placeholders.set(cards);
        const wrong = ['placeholder', 'black', 'blank', 'frozen'];
        expect(wrong).not.toContain((await single.show(bytes)).verdict);
        expect(wrong).not.toContain((await day.show(bytes, 10 * MINUTE)).verdict);
        if (folder === 'oneday') expect(day.memory.event).toBeUndefined();
        expect(day.memory.event?.kind).not.toBe('moved');
      }
    },
  );
});
