import { expect, test } from 'vitest';
import { parseTakedown, TakedownList } from '../../../../common/domain/takedown.ts';

const listOf = (...texts: string[]) =>
  new TakedownList(
    texts.map((text, index) => {
      const parsed = parseTakedown(text);
      if ('problem' in parsed) throw new Error(parsed.problem);
      return { id: index + 1, reason: 'asked by the owner', ...parsed };
    }),
  );

test.each([
  ['Example.ORG', 'http://example.org/a.jpg', true],
  ['example.org', 'https://cam3.example.org:8443/a.jpg', true],
  ['*.example.org.', 'rtsp://cam3.example.org/live', true],
  ['example.org', 'http://notexample.org/a.jpg', false],
  ['example.org', 'http://example.org.evil.net/a.jpg', false],
  ['192.0.2.7', 'http://192.0.2.7:8080/a.jpg', true],
  ['2.7', 'http://192.0.2.7/a.jpg', false],
  ['2001:db8::7', 'http://[2001:DB8::7]/a.jpg', true],
  ['https://example.org/cams/', 'https://EXAMPLE.org:443/cams/3.jpg', true],
  ['https://example.org/cams/', 'https://user:pw@example.org/cams/3.jpg', true],
  ['https://example.org/cams/', 'https://example.org/cams/../cams/3.jpg', true],
  ['https://example.org/cams/', 'https://example.org/other/3.jpg', false],
  ['https://example.org/cams/', 'http://example.org/cams/3.jpg', false],
  ['rtsp://example.org/live', 'rtsp://example.org/live/7', true],
])('a take-down of %s and %s: %s', (value, url, blocked) => {
  expect(listOf('other.net', value).against(url) !== undefined).toBe(blocked);
});

test('what is neither host nor URL is refused with the right form', () => {
  for (const text of [
    '',
    'exa mple.org',
    'example.org/cams',
    'example.org:8080',
    'ftp://example.org/',
    'user@host',
    'http://',
  ])
    expect(parseTakedown(text)).toMatchObject({ problem: expect.stringContaining('write it like') as string });
});

test('an empty list is against nothing', () => {
  expect(new TakedownList().against('http://example.org/')).toBeUndefined();
  expect(listOf('example.org').against('no URL')).toBeUndefined();
});
