import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import jpegTurbo from '@julusian/jpeg-turbo';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { withHuffmanTables } from '../../../../agent/sources/huffman-tables.ts';
import { MjpegParser } from '../../../../agent/sources/mjpeg-parser.ts';
import type { MjpegPart, MjpegParserOptions } from '../../../../agent/sources/mjpeg-parser.ts';
import { announcedBoundary } from '../../../../agent/sources/part-headers.ts';

const shared = process.env['CAMFLEET_SHARED'] ?? resolve(import.meta.dirname, '../../../../../shared');
const captures = join(shared, 'cameras/mjpeg');

/** A small real JPEG; different for every number. */
function picture(seed: number): Buffer {
  const data = Buffer.alloc(32 * 32 * 3, seed * 37);
  for (let i = 0; i < data.length; i += 1 + (seed % 7)) data[i] = (i * (seed + 3)) & 255;
  return jpegTurbo.compressSync(data, { format: jpegTurbo.FORMAT_RGB, width: 32, height: 32, quality: 70 });
}

const PICTURES = [1, 2, 3, 4].map(picture);

function parse(stream: Buffer, cuts: readonly number[] = [], options: Partial<MjpegParserOptions> = {}): MjpegPart[] {
  const parts: MjpegPart[] = [];
  const parser = new MjpegParser({ onPart: (part) => parts.push(part), ...options });
  let from = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    parser.push(stream.subarray(from, cut));
    from = Math.max(from, cut);
  }
  parser.push(stream.subarray(from));
  parser.end();
  return parts;
}

const texts = (parts: readonly MjpegPart[]): string[] =>
  parts.map(({ bytes, headers }) => JSON.stringify([...headers]) + bytes.toString('latin1'));

const multipart = (
  pictures: readonly Buffer[],
  head: (picture: Buffer, index: number) => string,
  tail = '\r\n',
): Buffer =>
  Buffer.concat(
    pictures.flatMap((each, i) => [Buffer.from(head(each, i), 'latin1'), each, Buffer.from(tail, 'latin1')]),
  );

const thumbnailed = Buffer.concat([
  PICTURES[0]!.subarray(0, 2),
  Buffer.from([0xff, 0xe1, (PICTURES[1]!.length + 2) >> 8, (PICTURES[1]!.length + 2) & 255]),
  PICTURES[1]!,
  PICTURES[0]!.subarray(2),
]);

/** Streams as cameras send them; each holds the same four pictures. */
const STREAMS: Record<string, { stream: Buffer; boundary?: string; pictures?: Buffer[] }> = {
  'by the book': {
    stream: multipart(PICTURES, (p) => `--b\r\nContent-Type: image/jpeg\r\nContent-Length: ${p.length}\r\n\r\n`),
    boundary: 'b',
  },
  'no Content-Length': { stream: multipart(PICTURES, () => '--b\r\nContent-Type: image/jpeg\r\n\r\n'), boundary: 'b' },
  'Content-Length in front, lower case, no space': {
    stream: multipart(PICTURES, (p) => `--b\r\ncontent-length:${p.length}\r\ncontent-type:image/jpeg\r\n\r\n`),
    boundary: 'b',
  },
  'Content-Length too small': {
    stream: multipart(PICTURES, (p) => `--b\r\nContent-Length: ${p.length - 9}\r\n\r\n`),
    boundary: 'b',
  },
  'Content-Length too large': {
    stream: multipart(PICTURES, (p) => `--b\r\nContent-Length: ${p.length + 40}\r\n\r\n`),
    boundary: 'b',
  },
  'Content-Length of 0': { stream: multipart(PICTURES, () => `--b\r\nContent-Length: 0\r\n\r\n`), boundary: 'b' },
  'another boundary than announced': {
    stream: multipart(PICTURES, () => '--really\r\nX: y\r\n\r\n'),
    boundary: 'announced',
  },
  'dashes inside the boundary parameter': { stream: multipart(PICTURES, () => '--b\r\nX: y\r\n\r\n'), boundary: '--b' },
  'four dashes in the stream': { stream: multipart(PICTURES, () => '----b\r\nX: y\r\n\r\n'), boundary: '--b' },
  'no boundary announced': { stream: multipart(PICTURES, () => '--b\r\nX: y\r\n\r\n') },
  'bare line feeds': { stream: multipart(PICTURES, () => '--b\nContent-Type: image/jpeg\n\n', '\n'), boundary: 'b' },
  'missing first boundary': {
    stream: multipart(PICTURES, (_, i) => `${i === 0 ? '' : '--b\r\n'}Content-Type: image/jpeg\r\n\r\n`),
    boundary: 'b',
  },
  'no headers in the parts': { stream: multipart(PICTURES, () => '--b\r\n\r\n'), boundary: 'b' },
  'no line end before the boundary': { stream: multipart(PICTURES, () => '--b\r\nX: y\r\n\r\n', ''), boundary: 'b' },
  'an empty line too many': { stream: multipart(PICTURES, () => '\r\n\r\n--b\r\nX: y\r\n\r\n\r\n'), boundary: 'b' },
  'pictures in a row': { stream: Buffer.concat(PICTURES) },
  'pictures in a row with padding': { stream: multipart(PICTURES, () => '', '\0'.repeat(37)) },
  'an empty part in between': {
    stream: multipart(
      [PICTURES[0]!, Buffer.alloc(0), ...PICTURES.slice(1)],
      () => '--b\r\nContent-Type: image/jpeg\r\n\r\n',
    ),
    boundary: 'b',
  },
  'a thumbnail inside': {
    stream: multipart([thumbnailed, PICTURES[2]!], () => '--b\r\nX: y\r\n\r\n'),
    pictures: [thumbnailed, PICTURES[2]!],
  },
  'a part that is no picture': {
    stream: multipart([Buffer.from('<html>no</html>'), PICTURES[0]!], () => '--b\r\nX: y\r\n\r\n'),
    boundary: 'b',
    pictures: [Buffer.from('<html>no</html>'), PICTURES[0]!],
  },
  'a picture cut off by the next boundary': {
    stream: multipart([PICTURES[0]!.subarray(0, -30), PICTURES[1]!], () => '--b\r\nX: y\r\n\r\n'),
    boundary: 'b',
    pictures: [PICTURES[0]!.subarray(0, -30), PICTURES[1]!],
  },
  'a picture cut off by the next one': {
    stream: Buffer.concat([PICTURES[0]!.subarray(0, -30), PICTURES[1]!]),
    pictures: [PICTURES[0]!.subarray(0, -30), PICTURES[1]!],
  },
  'a picture cut off at the end': {
    stream: multipart([PICTURES[0]!, PICTURES[1]!.subarray(0, -30)], () => '--b\r\nX: y\r\n\r\n', ''),
    boundary: 'b',
    pictures: [PICTURES[0]!, PICTURES[1]!.subarray(0, -30)],
  },
};

describe.each(Object.entries(STREAMS))('%s', (_name, { stream, boundary, pictures = PICTURES }) => {
  const options = {
    boundary: boundary === undefined ? undefined : announcedBoundary(`multipart/x-mixed-replace;boundary=${boundary}`),
  };

  test('gives every picture once, whole and in order', () => {
    expect(parse(stream, [], options).map(({ bytes }) => bytes.toString('hex'))).toEqual(
      pictures.map((each) => each.toString('hex')),
    );
  });

  test('gives the same however the network cuts it', () => {
    const whole = texts(parse(stream, [], options));
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 40 }), (cuts) => {
        expect(texts(parse(stream, cuts, options))).toEqual(whole);
      }),
      { numRuns: 60 },
    );
    expect(texts(parse(stream, Array.from(stream.keys()), options))).toEqual(whole);
  });
});

test('hands over the headers of each part', () => {
  const stream = multipart(PICTURES, (_, i) => `--b\r\nX-Part-Serial: ${i}\r\nContent-Type: image/jpeg\r\n\r\n`);
  expect(parse(stream).map(({ headers }) => headers.get('x-part-serial'))).toEqual(['0', '1', '2', '3']);
});

test('parts that nobody wants are not handed over, the others are', () => {
  const stream = multipart(PICTURES, (_, i) => `--b\r\nN: ${i}\r\n\r\n`);
  const parts = parse(stream, [], { wanted: (headers) => Number(headers.get('n')) % 2 === 1 });
  expect(parts.map(({ bytes }) => bytes)).toEqual([PICTURES[1], PICTURES[3]]);
});

test('a part beyond the cap ends the stream with an error, announced or not', () => {
  const announced = Buffer.from('--b\r\nContent-Length: 5000\r\n\r\n');
  const endless = Buffer.concat([
    Buffer.from('--b\r\nX: y\r\n\r\n'),
    PICTURES[0]!.subarray(0, -2),
    Buffer.alloc(5000, 1),
  ]);
  for (const stream of [announced, endless]) {
    expect(() => parse(stream, [], { maxPartBytes: 3000 })).toThrow(
      expect.objectContaining({ code: 'SOURCE_TOO_LARGE' }),
    );
  }
});

test('survives every garbage, without growing', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 30 }), fc.boolean(), (chunks, known) => {
      const stream = Buffer.concat(
        chunks.flatMap((chunk, i) => [
          chunk,
          Buffer.from(['\r\n--b\r\n', '\n\n', '\xff\xd8\xff', 'A: b'][i % 4]!, 'latin1'),
        ]),
      );
      const total = parse(stream, [], known ? { boundary: 'b' } : {}).reduce((sum, { bytes }) => sum + bytes.length, 0);
      expect(total).toBeLessThanOrEqual(stream.length);
    }),
    { numRuns: 300 },
  );
  expect(parse(Buffer.alloc(1_000_000, 'garbage '))).toEqual([]);
});

describe.skipIf(!existsSync(captures))('captures of real cameras (needs the shared data)', () => {
  const decodes = (bytes: Buffer) => jpegTurbo.decompressSync(bytes, { format: jpegTurbo.FORMAT_GRAY });

  test('a stream without Content-Length gives its two pictures', () => {
    const parts = parse(readFileSync(join(captures, 'multipart-no-content-length.mjpg')));
    expect(parts.map(({ bytes }) => bytes.length)).toEqual([4244, 43265]);
    expect(parts[1]!.headers.get('x-current-time')).toMatch(/^Tue, 09 Aug 2016/);
    for (const { bytes } of parts) expect(decodes(bytes).width).toBeGreaterThan(0);
  });

  test('a picture without Huffman tables gets the standard ones', () => {
    const [part] = parse(readFileSync(join(captures, 'frame-without-dht.mjpeg')));
    const mended = withHuffmanTables(part!.bytes);
    expect(part!.bytes.includes(Buffer.from([0xff, 0xc4]))).toBe(false);
    expect(mended.includes(Buffer.from([0xff, 0xc4]))).toBe(true);
    expect(decodes(mended)).toMatchObject({ width: 640, height: 480 });
  });
});

test('a picture that has its Huffman tables stays as it is', () => {
  expect(withHuffmanTables(PICTURES[0]!)).toBe(PICTURES[0]);
});
