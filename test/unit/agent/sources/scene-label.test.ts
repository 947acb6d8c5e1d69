import { expect, test } from 'vitest';
import { sceneLabelIn } from '../../../../agent/sources/scene-label.ts';

const asHeader = (text: string): string => Buffer.from(text).toString('latin1');

test('a scene label is bounded visible text; anything else is none', () => {
  expect(sceneLabelIn(' snow slope ')).toBe('snow slope');
  expect(sceneLabelIn(asHeader('café 広場'))).toBe('café 広場');
  expect(sceneLabelIn('x'.repeat(100))).toHaveLength(100);
  for (const bad of [
    undefined,
    '',
    ' ',
    'x'.repeat(101),
    '\xff\xfe',
    asHeader('a\u202eb'),
    'a\tb',
    asHeader('a\u0000b'),
  ])
    expect(sceneLabelIn(bad)).toBeUndefined();
});
