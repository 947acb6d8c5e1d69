import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { batchSchema } from '../../../../common/protocol/rest.ts';
import { fitsOf } from '../../../../coordinator/results/fits.ts';

const scores = () => ({ fused: [{ label: 'street', score: 0.5 }], m0: [{ label: 'yard', score: 1 }], m1: [] });

const batch = () => ({
  session: '2f1c5b5e-6d3f-4c8e-9b1a-0a1b2c3d4e5f',
  seq: 3,
  clockErrorMs: 0.5,
  fragments: [
    {
      ...{ cameraId: 1, token: 7, verdict: 'good', label: 'street', modelVersion: null, firstSequence: 0 },
      ...{ at: [1, 2], outcomes: [5, 63], serials: [8, 9], bytes: 10, latencyMs: 1.5, scores: scores() },
      ...{ capturedAt: { at: 1, origin: 'exif' }, evidence: { mean: 1.5, code: 'A', flag: true } },
      ...{ frameDigest: 'a'.repeat(64), sceneLabel: 'street', width: 352, height: 288 },
      memory: {
        lastAttemptAt: 5,
        clean: { digest: 'b'.repeat(64), verdict: 'good', sizes: { mean: 1, variance: 2, count: 3 }, width: 1 },
        gate: { thumbnail: 'x', classifiedAt: 4, label: 'street', modelVersion: 'v', scores: scores() },
        pace: { nextDueAt: 4, refresh: { ms: 1, count: 1, streak: 0, since: 3 } },
      },
    },
  ],
});

/** Every place in the value, as the way to it. */
function placesOf(value: unknown, way: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [way];
  return [way, ...Object.entries(value).flatMap(([key, inner]) => placesOf(inner, [...way, key]))];
}

function change(
  root: unknown,
  way: readonly string[],
  put: (place: Record<string, unknown>, key: string) => void,
): void {
  const place = way
    .slice(0, -1)
    .reduce((at, key) => at[key] as Record<string, unknown>, root as Record<string, unknown>);
  put(place, way.at(-1) as string);
}

const strange = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(null, -1, 0, 0.5, 64, 1e300, Infinity, 2 ** 53, '', 'x'.repeat(3_000), [], {}, true),
);

describe('what fits', () => {
  const fits = fitsOf(batchSchema);

  test('is a batch as agents send it', () => {
    expect(fits(batch())).toBe(true);
    expect(fits({ ...batch(), fragments: [] })).toBe(true);
  });

  test('is accepted by the schema and stays as it is, whatever is changed about it', () => {
    const places = placesOf(batch()).filter((way) => way.length > 0);
    const mutation = fc.record({ way: fc.constantFrom(...places), how: fc.nat(3), value: strange, name: fc.string() });
    let [fitting, accepted] = [0, 0];
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 2 }), (mutations) => {
        const value = batch();
        for (const { way, how, value: drawn, name } of mutations) {
          const other: unknown = structuredClone(drawn);
          try {
            change(value, way, (place, key) => {
              if (how === 0 && Array.isArray(place)) place.splice(Number(key), 1);
              else if (how === 0) delete place[key];
              else if (how === 1 && Array.isArray(place)) place.push(other);
              else if (how === 1) place[name] = other;
              else place[key] = other;
            });
          } catch {
            // An earlier change took that place away.
          }
        }
        const parsed = batchSchema.safeParse(value);
        if (parsed.success) accepted++;
        if (!fits(value)) return;
        fitting++;
        expect(parsed.success).toBe(true);
        expect(parsed.data).toStrictEqual(value);
      }),
      { numRuns: 3_000 },
    );
    // Both sides were tried.
    expect(fitting).toBeGreaterThan(100);
    expect(accepted).toBeLessThan(2_500);
  });

  test('is nothing that the schema would strip, trim, convert or wait for', () => {
    expect(fitsOf(z.object({ a: z.number() }))({ a: 1, b: 2 })).toBe(false);
    expect(fitsOf(z.string().trim())('a ')).toBe(false);
    expect(fitsOf(z.coerce.number())('1')).toBe(false);
    expect(fitsOf(z.string().transform((text) => text.length))('a')).toBe(false);
    expect(fitsOf(z.object({ a: z.number().default(1) }))({})).toBe(false);
    expect(fitsOf(z.string().refine(async () => true))('a')).toBe(false);
    expect(fitsOf(z.record(z.string(), z.number()))(JSON.parse('{"__proto__":1}'))).toBe(false);
  });
});
