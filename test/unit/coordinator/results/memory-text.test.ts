import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keepMemoriesAsText, memoryTexts } from '../../../../coordinator/results/memory-text.ts';
import type { Reported } from '../../../../coordinator/results/memory-text.ts';

describe('the texts of memories', () => {
  test('say what was parsed, whatever stands around and inside', () => {
    const fragment = fc
      .tuple(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), fc.dictionary(fc.string(), fc.jsonValue()))
      .map(([before, memory, after]) => ({ ...before, memory, ...after }));
    const batch = fc.record({
      ...{ seq: fc.jsonValue(), 'a "key" \\': fc.jsonValue(), memory: fc.jsonValue() },
      ...{ fragments: fc.array(fragment, { maxLength: 4 }), last: fc.string() },
    });
    fc.assert(
      fc.property(batch, fc.constantFrom(undefined, 1, '\t', '\n '), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const parsed = JSON.parse(text) as typeof value;
        const found = memoryTexts(text);
        expect(found?.map((memory): unknown => JSON.parse(memory))).toEqual(
          parsed.fragments.map(({ memory }) => memory),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test('are not told where it is not plain which one counts', () => {
    expect(memoryTexts('{"fragments":[{"memory":{"a":1}}]}')).toEqual(['{"a":1}']);
    expect(memoryTexts(' { "fragments" : [ { "x\\u0041" : 1 , "memory" : "a\\\\" } ] } ')).toEqual(['"a\\\\"']);
    expect(memoryTexts('{"fragments":[{"memory":1,"memory":2}]}')).toBeUndefined();
    expect(memoryTexts('{"fragments":[{"memory":1,"mem\\u006fry":2}]}')).toBeUndefined();
    expect(memoryTexts('{"fragments":[{"memory":1}],"fragments":[]}')).toBeUndefined();
    expect(memoryTexts('{"fragments":[{"label":"memory"}]}')).toBeUndefined();
    expect(memoryTexts('{}')).toBeUndefined();
    expect(memoryTexts('[]')).toBeUndefined();
  });

  test('take the place of what was parsed, except where blanks make them long', () => {
    const fragments = [{ memory: { lastAttemptAt: 1 } }, { memory: { lastAttemptAt: 2 } }] as Reported[];
    keepMemoriesAsText(
      `{"fragments":[{"memory":{"lastAttemptAt":1}},{"memory":{"lastAttemptAt":${' '.repeat(20_000)}2}}]}`,
      fragments,
    );
    expect(fragments.map(({ memory }) => memory)).toEqual(['{"lastAttemptAt":1}', { lastAttemptAt: 2 }]);
    const other = [{ memory: { lastAttemptAt: 1 } }] as Reported[];
    keepMemoriesAsText('{"fragments":[]}', other);
    expect(other[0]?.memory).toEqual({ lastAttemptAt: 1 });
  });
});
