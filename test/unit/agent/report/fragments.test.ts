import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fragmentSchema } from '../../../../common/domain/fragment.ts';
import { dateFragment, FragmentFolder } from '../../../../agent/report/fragments.ts';
import type { Attempt, UndatedFragment } from '../../../../agent/report/fragments.ts';

const attempt = (over: Partial<Attempt> = {}): Attempt => ({
  cameraId: 1,
  token: 9,
  sequence: 0,
  monotonic: 1_000,
  skew: 0,
  verdict: 'good',
  label: null,
  modelVersion: null,
  outcome: 1,
  bytes: 10,
  evidence: {},
  frameDigest: null,
  scores: null,
  memory: { lastAttemptAt: 1 },
  ...over,
});

const digest = (letter: string): string => letter.repeat(64);

/** Attempts of a few cameras as they come: sequences with gaps, keys that change, time that passes. */
const history = fc.array(
  fc.record({
    cameraId: fc.integer({ min: 1, max: 3 }),
    verdict: fc.constantFrom('good' as const, 'timeout' as const),
    label: fc.constantFrom(null, 'street', 'harbour'),
    token: fc.constantFrom(9, 10),
    gap: fc.constantFrom(0, 0, 0, 1),
    elapsed: fc.constantFrom(1, 100, 5_000, 70_000),
    skew: fc.constantFrom(0, 0, 0, 100, 7_200_000),
    collect: fc.constantFrom(false, false, false, true),
  }),
  { maxLength: 80 },
);

describe('fragments', () => {
  test('a scene label stays with its picture and goes with it', () => {
    const folder = new FragmentFolder();
    const labelOf = (...attempts: Partial<Attempt>[]): unknown => {
      for (const [sequence, over] of attempts.entries()) folder.add(attempt({ sequence, ...over }));
      return folder.collect()[0]?.sceneLabel;
    };
    const labelled = { frameDigest: digest('a'), sceneLabel: 'street' };
    expect(labelOf(labelled, { frameDigest: digest('a') }, { frameDigest: null })).toBe('street');
    expect(labelOf(labelled, { frameDigest: digest('b') })).toBeUndefined();
    expect(labelOf({ frameDigest: digest('b') }, labelled)).toBe('street');
    expect(labelOf(labelled, { frameDigest: digest('b'), sceneLabel: 'park' })).toBe('park');
  });

  test('folding never loses, doubles or reorders an attempt, and each fragment keeps its bounds', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const folder = new FragmentFolder();
        const sequences = new Map<number, number>();
        const sent = new Map<number, string[]>();
        const fragments: UndatedFragment[] = [];
        let monotonic = 0;
        for (const { cameraId, gap, elapsed, collect, ...key } of steps) {
          const sequence = (sequences.get(cameraId) ?? 0) + gap;
          sequences.set(cameraId, sequence + 1);
          monotonic += elapsed;
          folder.add(attempt({ ...key, cameraId, sequence, monotonic }));
          const line = `${sequence} ${monotonic} ${key.verdict} ${key.label} ${key.token}`;
          sent.set(cameraId, [...(sent.get(cameraId) ?? []), line]);
          if (collect) fragments.push(...folder.collect());
        }
        fragments.push(...folder.collect());
        const received = new Map<number, string[]>();
        for (const one of fragments) {
          expect(one.monotonic.at(-1)! - one.monotonic[0]!).toBeLessThanOrEqual(60_000);
          expect(one.outcomes).toHaveLength(one.monotonic.length);
          const lines = one.monotonic.map(
            (at, i) => `${one.firstSequence + i} ${at} ${one.verdict} ${one.label} ${one.token}`,
          );
          received.set(one.cameraId, [...(received.get(one.cameraId) ?? []), ...lines]);
        }
        expect(received).toEqual(sent);
      }),
    );
  });

  test('a fragment holds at most 256 attempts', () => {
    const folder = new FragmentFolder();
    for (let i = 0; i < 300; i++) folder.add(attempt({ sequence: i, monotonic: i }));
    expect(folder.collect().map(({ monotonic }) => monotonic.length)).toEqual([256, 44]);
  });

  test('names the picture that nobody will ask for any more', () => {
    const folder = new FragmentFolder();
    expect(folder.add(attempt({ frameDigest: digest('a') }))).toBeNull();
    expect(folder.add(attempt({ sequence: 1, frameDigest: digest('b') }))).toBe(digest('a'));
    expect(folder.add(attempt({ sequence: 2, frameDigest: digest('b') }))).toBeNull();
    expect(folder.add(attempt({ sequence: 3, frameDigest: digest('c'), label: 'street' }))).toBeNull();
  });

  test('is dated as a whole, and waits where its stretch of time has no anchor', () => {
    const folder = new FragmentFolder();
    folder.add(attempt({ latencyMs: 30 }));
    folder.add(attempt({ sequence: 1, monotonic: 2_000, latencyMs: 10 }));
    folder.add(attempt({ sequence: 2, monotonic: 3_000, latencyMs: 20 }));
    const [fragment] = folder.collect();
    expect(dateFragment(fragment!, () => undefined)).toBeUndefined();
    const dated = dateFragment(fragment!, ({ monotonic }) => ({ at: monotonic + 7_000, errorMs: 2 }));
    expect(dated?.errorMs).toBe(2);
    const parsed = fragmentSchema.parse(dated?.fragment);
    expect(parsed).toMatchObject({ at: [8_000, 9_000, 10_000], firstSequence: 0, bytes: 30, latencyMs: 20 });
    expect(Object.keys(dated!.fragment)).not.toContain('monotonic');
  });
});
