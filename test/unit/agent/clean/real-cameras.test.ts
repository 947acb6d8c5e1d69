import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Cleaner } from '../../../../agent/clean/clean.ts';
import type { CleanMemory } from '../../../../common/domain/frame.ts';
import { VERDICTS } from '../../../../common/domain/verdict.ts';
import type { Verdict } from '../../../../common/domain/verdict.ts';

const shared = process.env['CAMFLEET_SHARED'] ?? resolve(import.meta.dirname, '../../../../../shared');
const TEN_MINUTES = 600_000;

interface Seen {
  name: string;
  bytes: number;
  verdict: Verdict;
}

/** Shows the files of a folder to a cleaner in name order: as one camera, or each as the first frame of its own. */
async function show(folder: string, as: 'one camera' | 'many cameras'): Promise<Seen[]> {
  const cleaner = new Cleaner();
  const seen: Seen[] = [];
  let memory: CleanMemory = {};
  let fetchedAt = 1_600_000_000_000;
  for (const name of readdirSync(join(shared, folder)).sort()) {
    const bytes = readFileSync(join(shared, folder, name));
    fetchedAt += TEN_MINUTES;
    const frame = { bytes, notModified: false, fetchedAt, transferBytes: bytes.length };
    const cleaned = await cleaner.clean(frame, as === 'one camera' ? memory : {});
    memory = cleaned.memory;
    expect(JSON.stringify(memory).length).toBeLessThan(900);
    seen.push({ name, bytes: bytes.length, verdict: cleaned.verdict });
  }
  return seen;
}

const tally = (seen: readonly Seen[]): Partial<Record<Verdict, number>> => {
  const counts: Partial<Record<Verdict, number>> = {};
  for (const { verdict } of seen) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return counts;
};

describe.skipIf(!existsSync(join(shared, 'cameras')))('real cameras (needs the shared data)', () => {
  test('of a day of one camera exactly the 10 empty files and 3 web pages are bad', async () => {
    const seen = await show('cameras/oneday', 'one camera');
    expect(seen).toHaveLength(169);
    const bad = seen.filter(({ verdict }) => !VERDICTS[verdict].healthy);
    expect(tally(bad)).toEqual({ empty: 10, not_an_image: 3 });
    expect(bad.every(({ bytes }) => bytes === 0 || bytes === 8467)).toBe(true);
    expect(tally(seen.filter(({ verdict }) => VERDICTS[verdict].healthy))).toEqual({ good: 155, duplicate: 1 });
  });

  test.each(['helios', 'sydney', 'oneday'])(
    'no good frame of %s is lost as the first one of a camera',
    async (name) => {
      const seen = await show(`cameras/${name}`, 'many cameras');
      const good = { helios: 100, sydney: 107, oneday: 156 }[name];
      expect(tally(seen).good).toBe(good);
      expect(seen.filter(({ verdict }) => verdict !== 'good').length).toBe(name === 'oneday' ? 13 : 0);
    },
  );

  test.each(['helios', 'sydney'])('no frame of %s is lost when all are shown as one camera', async (name) => {
    const seen = await show(`cameras/${name}`, 'one camera');
    expect(seen.every(({ verdict }) => VERDICTS[verdict].healthy)).toBe(true);
  });

  test('a black frame is black, and cards with text are not', async () => {
    const seen = await show('cameras/placeholders', 'many cameras');
    expect(seen.filter(({ verdict }) => verdict === 'black').map(({ name }) => name)).toEqual(['black.jpg']);
    expect(tally(seen)).toEqual({ good: 6, black: 1 });
  });

  test('400 fuzzed files end in one verdict each, quickly', async () => {
    const started = performance.now();
    const counts = tally(await show('jpegs/corrupt', 'many cameras'));
    expect(Object.values(counts).reduce((a, b) => a + b)).toBe(400);
    expect(Object.keys(counts).sort()).toEqual(['corrupt', 'good', 'oversized']);
    expect(counts.corrupt).toBeGreaterThan(340);
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  test('odd but whole pictures are good, cut-off and giant ones are told', async () => {
    const seen = new Map((await show('jpegs/odd', 'many cameras')).map(({ name, verdict }) => [name, verdict]));
    const notGood = [...seen].filter(([, verdict]) => verdict !== 'good');
    expect(Object.fromEntries(notGood)).toEqual({
      'corrupt-header.jpg': 'corrupt',
      'giant-image.jpg': 'oversized',
      'truncated.jpg': 'corrupt',
      'truncated.png': 'corrupt',
    });
  });
});
