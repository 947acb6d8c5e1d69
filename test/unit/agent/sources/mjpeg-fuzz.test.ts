import jpegTurbo from '@julusian/jpeg-turbo';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MjpegParser } from '../../../../agent/sources/mjpeg-parser.ts';

const MAX_PART_BYTES = 20_000;
// A second more or less of numbers; the seed makes a failure come again.
const RUNS = { numRuns: 400, seed: 20_261_124 };

const PICTURES = [1, 2, 3, 4, 5].map((seed) => {
  const data = Buffer.alloc(24 * 24 * 3, seed * 41);
  for (let i = 0; i < data.length; i += 1 + (seed % 5)) data[i] = (i * (seed + 3)) & 255;
  return jpegTurbo.compressSync(data, { format: jpegTurbo.FORMAT_RGB, width: 24, height: 24, quality: 60 });
});

type Head = (picture: Buffer) => string;
const HEADS: Head[] = [
  () => '',
  () => '--b\r\nContent-Type: image/jpeg\r\n\r\n',
  (picture) => `\r\n--b\r\nContent-Type: image/jpeg\r\nContent-Length: ${picture.length}\r\n\r\n`,
  (picture) => `--b\ncontent-length:${picture.length}\n\n`,
  () => '\r\n--b\r\n\r\n',
  () => '\r\n--b\r\n--b\r\nX: y\r\n\r\n', // a boundary twice
  () => 'Content-Type: image/jpeg\r\n\r\n', // a boundary that is missing
  () => '\r\n----other\r\nX-Timestamp: 1.5\r\n\r\n', // another one than before
];

const part = fc.record({ picture: fc.nat(PICTURES.length - 1), head: fc.constantFrom(...HEADS) });

/** Feeds a stream in pieces, watching that what is kept does not grow; the parts found, or the code of the error. */
function parse(stream: Buffer, cuts: readonly number[], boundary?: string): Buffer[] | string {
  const found: Buffer[] = [];
  const parser = new MjpegParser({ boundary, maxPartBytes: MAX_PART_BYTES, onPart: ({ bytes }) => found.push(bytes) });
  try {
    let from = 0;
    for (const cut of [...cuts, stream.length].map((each) => Math.min(each, stream.length)).sort((a, b) => a - b)) {
      parser.push(stream.subarray(from, cut));
      from = Math.max(from, cut);
    }
    parser.end();
    return found;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const cuts = fc.array(fc.nat(20_000), { maxLength: 60 });
const hex = (parts: readonly Buffer[]): string[] => parts.map((each) => each.toString('hex'));

test('whatever stands between them, all pictures that are whole are found, once and in order', () => {
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 12 }),
      cuts,
      fc.constantFrom(undefined, 'b', 'other'),
      (parts, at, boundary) => {
        const pictures = parts.map(({ picture }) => PICTURES[picture]!);
        const stream = Buffer.concat(parts.flatMap(({ head }, i) => [Buffer.from(head(pictures[i]!)), pictures[i]!]));
        expect(hex(parse(stream, at, boundary) as Buffer[])).toEqual(hex(pictures));
      },
    ),
    RUNS,
  );
});

interface Damage {
  kind: 'insert' | 'delete' | 'flip' | 'truncate';
  at: number;
  bytes: Uint8Array;
}

const damage: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom('insert', 'delete', 'flip', 'truncate'),
  at: fc.nat(9_999),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
});

function damaged(stream: Buffer, { kind, at, bytes }: Damage): Buffer {
  const position = Math.floor((at / 10_000) * stream.length);
  const rest = stream.subarray(position);
  const before = stream.subarray(0, position);
  if (kind === 'truncate') return before;
  if (kind === 'insert') return Buffer.concat([before, bytes, rest]);
  if (kind === 'delete') return Buffer.concat([before, rest.subarray(bytes.length)]);
  return Buffer.concat([
    before,
    rest.subarray(0, bytes.length).map((byte, i) => byte ^ bytes[i]!),
    rest.subarray(bytes.length),
  ]);
}

test('damage never throws anything but the cap, gives no more bytes than came, and the network’s cuts change nothing', () => {
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 8 }),
      fc.array(damage, { minLength: 1, maxLength: 4 }),
      cuts,
      (parts, damages, at) => {
        const whole = Buffer.concat(
          parts.flatMap(({ picture, head }) => [Buffer.from(head(PICTURES[picture]!)), PICTURES[picture]!]),
        );
        const stream = damages.reduce(damaged, whole);
        const found = parse(stream, at, 'b');
        if (typeof found === 'string') expect(found).toBe('SOURCE_TOO_LARGE');
        else expect(found.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(stream.length);
        expect(parse(stream, [], 'b')).toEqual(found);
      },
    ),
    RUNS,
  );
});

test('after damage to one picture the second one behind it is whole again', () => {
  fc.assert(
    fc.property(fc.nat(PICTURES.length - 1), damage, cuts, (index, harm, at) => {
      const head = Buffer.from('\r\n--b\r\nContent-Type: image/jpeg\r\n\r\n');
      const stream = Buffer.concat([
        head,
        damaged(PICTURES[index]!, harm),
        ...PICTURES.flatMap((picture) => [head, picture]),
      ]);
      const found = parse(stream, at, 'b');
      expect(Array.isArray(found) && hex(found)).toEqual(expect.arrayContaining(hex(PICTURES.slice(1))));
    }),
    RUNS,
  );
});

test('garbage without end takes no memory', () => {
  const parser = new MjpegParser({ maxPartBytes: MAX_PART_BYTES, onPart: () => {} });
  const noise = Buffer.alloc(65_536, 'no picture here ');
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 500; i++) parser.push(noise);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4_000_000);
});

const PIECES = [
  ...['\n', '\r\n\r\n', '--b\r\n\r\n', '\n--b', 'A: b\r\n', '--b\r\nContent-Length: 5\r\n\r\n', '-', 'x'],
  ...['\xff', '\xff\xd8\xff', '\xff\xd8\xff\xd9', '\xff\xd8\xff\xe0\x00\x02', '\xff\xd8\xff\xda\x00\x02\xff\x00'],
];

test.each(PIECES)('a stream of nothing but %j holds nobody up', (piece) => {
  const chunk = Buffer.from(piece.repeat(65_536 / piece.length), 'latin1');
  const parser = new MjpegParser({ boundary: 'b', maxPartBytes: 1_000_000, onPart: () => {} });
  const began = performance.now();
  for (let i = 0; i < 8; i++) parser.push(chunk);
  // Half a megabyte takes 0.1 to 0.5 s; what searches to the end of its buffer for each line takes minutes.
  expect(performance.now() - began).toBeLessThan(5_000);
});
