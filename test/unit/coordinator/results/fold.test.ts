import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Fragment } from '../../../../common/domain/fragment.ts';
import { countFragment, fold } from '../../../../coordinator/results/fold.ts';
import type { Span } from '../../../../coordinator/results/fold.ts';
import { countedAt, stretchesOf } from '../../../../coordinator/results/window.ts';

const MIDNIGHT = 1_764_028_800_000;

function fragmentOf(at: number[], more: Partial<Fragment> = {}): Fragment {
  return {
    ...{ cameraId: 1, token: 2, verdict: 'good', label: null, modelVersion: null, firstSequence: 0, at },
    outcomes: at.map((_, index) => index % 64),
    bytes: 7 * at.length,
    evidence: { of: at.at(-1) as number },
    frameDigest: null,
    scores: null,
    memory: { lastAttemptAt: 0 },
    ...more,
  };
}

function foldAll(fragments: Fragment[]): Span[] {
  const spans: Span[] = [];
  let open: Span | undefined;
  for (const fragment of fragments) {
    const folded = fold(
      open,
      countFragment(fragment, (at) => at),
    );
    spans.push(...folded.closed);
    open = folded.open;
  }
  return open ? [...spans, open] : spans;
}

/** Cuts at the given places, which may repeat. */
function split(fragment: Fragment, places: number[]): Fragment[] {
  const cuts = [0, ...new Set(places.map((place) => place % fragment.at.length)), fragment.at.length]
    .toSorted((a, b) => a - b)
    .filter((cut, index, all) => cut !== all[index - 1]);
  return cuts.slice(1).map((end, index) => {
    const start = cuts[index] as number;
    const at = fragment.at.slice(start, end);
    return {
      ...fragment,
      at,
      outcomes: fragment.outcomes.slice(start, end),
      bytes: 7 * at.length,
      evidence: { of: at.at(-1) as number },
    };
  });
}

// Evidence is that of the last attempt; of a span that ends inside a fragment, only the parts know it.
const withoutEvidence = (spans: Span[]) => spans.map(({ evidence: _, ...span }) => span);

describe('folding', () => {
  const instants = fc
    .array(fc.integer({ min: MIDNIGHT - 50_000, max: MIDNIGHT + 50_000 }), { minLength: 1, maxLength: 60 })
    .map((list) => list.toSorted((a, b) => a - b));
  const fragments = fc.array(
    fc.record({
      at: instants,
      verdict: fc.constantFrom('good', 'black'),
      label: fc.constantFrom(null, 'street', 'yard'),
      frameDigest: fc.constantFrom(null, 'a'.repeat(64)),
    }),
    { maxLength: 8 },
  );

  test('gives the same spans in whatever parts attempts come', () => {
    fc.assert(
      fc.property(fragments, fc.array(fc.nat(), { maxLength: 6 }), (list, places) => {
        const whole = list.map(({ at, ...key }) =>
          fragmentOf(at, { ...(key as Partial<Fragment>), outcomes: at.map((_, i) => ((i * 7 + 1) % 64) | 1) }),
        );
        const parts = whole.flatMap((fragment) => split(fragment, places));
        expect(withoutEvidence(foldAll(parts))).toEqual(withoutEvidence(foldAll(whole)));
      }),
    );
  });

  test('loses no attempt and no byte, and keeps every span inside one day', () => {
    fc.assert(
      fc.property(fragments, (list) => {
        const whole = list.map(({ at, ...key }) => fragmentOf(at, key as Partial<Fragment>));
        const spans = foldAll(whole);
        const sum = (of: (span: Span) => number): number => spans.reduce((total, span) => total + of(span), 0);
        expect(sum(({ attempts }) => attempts)).toBe(whole.reduce((n, { at }) => n + at.length, 0));
        expect(sum(({ bytes }) => bytes)).toBe(whole.reduce((n, { bytes }) => n + bytes, 0));
        for (const { firstAt, lastAt } of spans) expect(firstAt < MIDNIGHT).toBe(lastAt < MIDNIGHT);
      }),
    );
  });

  test('an attempt at midnight belongs to the new day', () => {
    const spans = foldAll([fragmentOf([MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + 1])]);
    expect(spans.map(({ attempts }) => attempts)).toEqual([1, 2]);
  });

  test('a fragment without an attempt that counts changes nothing', () => {
    expect(
      fold(
        undefined,
        countFragment(fragmentOf([1]), () => undefined),
      ),
    ).toEqual({ open: undefined, closed: [] });
  });

  test('a picture counts only if its attempt does', () => {
    const fragment = fragmentOf([1, 2, 3], { outcomes: [1, 1, 0], frameDigest: 'b'.repeat(64) });
    expect(countFragment(fragment, (at) => (at < 2 ? at : undefined)).frameDigest).toBeNull();
    expect(countFragment(fragment, (at) => (at < 3 ? at : undefined)).frameDigest).toBe('b'.repeat(64));
  });
});

describe('the window', () => {
  const grant = { agentId: 'a', sessionId: 's', shardId: 1, from: 100, until: 200 };
  const clock = { clockErrorMs: 10, arrivedAt: 1_000 };

  test('is where grant and membership overlap', () => {
    const memberships = [
      { from: 0, until: 50 },
      { from: 90, until: 120 },
      { from: 150, until: null },
    ];
    expect(stretchesOf(grant, memberships)).toEqual([
      { from: 100, until: 120 },
      { from: 150, until: 200 },
    ]);
  });

  test('never counts an instant outside, whatever error the sender claims', () => {
    fc.assert(
      fc.property(fc.integer({ min: -10_000, max: 10_000 }), fc.double({ min: 0, noNaN: true }), (at, clockErrorMs) => {
        const counted = countedAt(at, [{ from: 3_000, until: 4_000 }], { clockErrorMs, arrivedAt: 5_000 });
        if (counted !== undefined) expect(counted >= 3_000 && counted < 4_000).toBe(true);
        if (at < 1_000 || at >= 4_000) expect(counted).toBeUndefined();
        if (at >= 3_000 && at < 4_000) expect(counted).toBe(at);
      }),
    );
  });

  test('dates the future to the arrival', () => {
    expect(countedAt(5_000, [{ from: 0, until: Infinity }], clock)).toBe(1_000);
    expect(countedAt(5_000, [{ from: 0, until: 900 }], clock)).toBeUndefined();
  });
});
