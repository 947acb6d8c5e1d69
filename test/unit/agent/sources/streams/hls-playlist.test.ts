import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseVariant, parsePlaylist } from '../../../../../agent/sources/hls-playlist.ts';
import type { Segment } from '../../../../../agent/sources/hls-playlist.ts';

const BASE = 'https://cdn.example/live/cam/index.m3u8?token=t';

function segmentsOf(...lines: string[]): Segment[] {
  const playlist = parsePlaylist(['#EXTM3U', '#EXT-X-TARGETDURATION:4', ...lines].join('\n'), BASE);
  if (playlist.kind !== 'media') throw new Error('not a media playlist');
  return playlist.segments;
}

test('a master playlist offers renditions; the best up to 1280 px is taken, sound alone never', () => {
  const playlist = parsePlaylist(
    [
      '#EXTM3U',
      '#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.2"',
      'sound.m3u8',
      '#EXT-X-STREAM-INF:BANDWIDTH=5000000,RESOLUTION=1920x1080',
      'https://other.example/1080.m3u8',
      '#EXT-X-STREAM-INF:BANDWIDTH=2000000,RESOLUTION=1280x720,CODECS="avc1.64001f,mp4a.40.2"',
      '/720.m3u8',
      '#EXT-X-STREAM-INF:BANDWIDTH=500000,RESOLUTION=640x360',
      '360.m3u8',
    ].join('\r\n'),
    BASE,
  );
  if (playlist.kind !== 'master') throw new Error('not a master playlist');
  expect(playlist.variants.map(({ url }) => url)).toEqual([
    'https://other.example/1080.m3u8',
    'https://cdn.example/720.m3u8',
    'https://cdn.example/live/cam/360.m3u8',
  ]);
  expect(chooseVariant(playlist.variants).url).toBe('https://cdn.example/720.m3u8');
  expect(chooseVariant(playlist.variants.slice(0, 1)).width).toBe(1920);
});

test('segments carry what is in force: initialisation, byte range, key, number and time', () => {
  const segments = segmentsOf(
    '#EXT-X-MEDIA-SEQUENCE:41',
    '#EXT-X-MAP:URI="init.mp4",BYTERANGE="720@0"',
    '#EXT-X-PROGRAM-DATE-TIME:2026-11-24T10:00:00.000Z',
    '#EXTINF:4.0,',
    '#EXT-X-BYTERANGE:1000@720',
    'all.mp4',
    '#EXTINF:2.5,',
    '#EXT-X-BYTERANGE:500',
    'all.mp4',
    '#EXT-X-DISCONTINUITY',
    '#EXT-X-MAP:URI="other.mp4"',
    '#EXT-X-KEY:METHOD=AES-128,URI="key",IV=0x1F',
    '#EXTINF:4,',
    'c.m4s',
  );
  const at = Date.parse('2026-11-24T10:00:00Z');
  expect(segments).toMatchObject([
    {
      sequence: 41,
      range: { offset: 720, length: 1000 },
      map: { range: { offset: 0, length: 720 } },
      at,
      key: undefined,
    },
    { sequence: 42, range: { offset: 1720, length: 500 }, at: at + 4_000, durationMs: 2_500 },
    {
      sequence: 43,
      range: undefined,
      at: undefined,
      map: { url: 'https://cdn.example/live/cam/other.mp4', range: undefined },
    },
  ]);
  expect(segments[2]!.key).toMatchObject({ url: 'https://cdn.example/live/cam/key' });
  expect(segments[2]!.key!.iv!.toString('hex')).toBe('0000000000000000000000000000001f');
});

test('segments that are marked as missing are left out, and still counted', () => {
  expect(segmentsOf('#EXTINF:4,', 'a.ts', '#EXT-X-GAP', '#EXTINF:4,', 'b.ts', '#EXTINF:4,', 'c.ts')).toMatchObject([
    { sequence: 0 },
    { sequence: 2 },
  ]);
});

test.each([
  ['a file', 'file:///etc/passwd'],
  ['other protocols', 'rtmp://10.0.0.1/live'],
  ['inlined bytes', 'data:video/mp2t;base64,AAAA'],
  ['chains of ffmpeg', 'concat:http://a.example/1.ts|file:///etc/passwd'],
])('a playlist that names %s is refused', (_, uri) => {
  const expected = expect.objectContaining({ code: 'SOURCE_PROTOCOL' });
  expect(() => segmentsOf('#EXTINF:4,', uri)).toThrow(expected);
  expect(() => segmentsOf(`#EXT-X-MAP:URI="${uri}"`, '#EXTINF:4,', 'a.mp4')).toThrow(expected);
  expect(() => segmentsOf(`#EXT-X-KEY:METHOD=AES-128,URI="${uri}"`, '#EXTINF:4,', 'a.ts')).toThrow(expected);
});

test('encryption for licensed players is refused in plain words', () => {
  for (const key of ['METHOD=SAMPLE-AES,URI="skd://x"', 'METHOD=AES-128,URI="k",KEYFORMAT="com.widevine"'])
    expect(() => segmentsOf(`#EXT-X-KEY:${key}`, '#EXTINF:4,', 'a.ts')).toThrow(/encrypted .* licensed players/);
});

test('whatever a server sends is a playlist with http URLs, or an error of the protocol', () => {
  const lines = fc.constantFrom(
    '#EXTINF:4,',
    '#EXT-X-KEY:METHOD=NONE',
    '#EXT-X-STREAM-INF:BANDWIDTH=1',
    '#EXT-X-MAP:URI="x"',
    '#EXT-X-BYTERANGE:5',
    'a.ts',
    '//b.example/c',
    '#EXT-X-MEDIA-SEQUENCE:9',
    '#EXT-X-DISCONTINUITY',
  );
  fc.assert(
    fc.property(
      fc.array(fc.oneof(lines, fc.string({ unit: 'binary', maxLength: 60 })), { maxLength: 30 }),
      (middle) => {
        try {
          const playlist = parsePlaylist(['#EXTM3U', ...middle].join('\n'), BASE);
          const urls = playlist.kind === 'master' ? playlist.variants : playlist.segments;
          for (const { url } of urls) expect(url).toMatch(/^https?:\/\//);
        } catch (error) {
          expect(error).toMatchObject({ code: 'SOURCE_PROTOCOL' });
        }
      },
    ),
    { numRuns: 150, seed: 20_261_124 },
  );
  expect(() => parsePlaylist('<html>', BASE)).toThrow(/does not begin/);
});
