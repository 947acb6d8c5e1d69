import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mapStrings, readAmf, textIn, writeAmf } from '../../../../../agent/sources/rtmp-amf.ts';
import type { Amf } from '../../../../../agent/sources/rtmp-amf.ts';
import { ChunkReader, COMMAND, writeChunks } from '../../../../../agent/sources/rtmp-chunks.ts';
import type { RtmpMessage } from '../../../../../agent/sources/rtmp-chunks.ts';
import { divideRtmpPath } from '../../../../../agent/sources/rtmp-relay.ts';

const plain: fc.Arbitrary<Amf> = fc.oneof(
  fc.double({ noNaN: true }).map((value): Amf => ({ type: 'number', value })),
  fc.boolean().map((value): Amf => ({ type: 'boolean', value })),
  fc.string().map((value): Amf => ({ type: 'string', value })),
  fc.constant<Amf>({ type: 'null' }),
);
const value: fc.Arbitrary<Amf> = fc.oneof(
  plain,
  fc.array(fc.tuple(fc.string({ minLength: 1 }), plain)).map((entries): Amf => ({ type: 'object', entries })),
);
const message: fc.Arbitrary<RtmpMessage> = fc.record({
  chunkStream: fc.integer({ min: 2, max: 63 }),
  timestamp: fc.oneof(fc.nat(100_000), fc.integer({ min: 0xfffff0, max: 0x7fffffff })),
  type: fc.constantFrom(8, 9, COMMAND),
  messageStream: fc.nat(10),
  body: fc.uint8Array({ minLength: 1, maxLength: 900 }).map((bytes) => Buffer.from(bytes)),
  chunkSize: fc.constant(128),
});

test('commands are written as they were read', () => {
  fc.assert(fc.property(fc.array(value), (values) => void expect(readAmf(writeAmf(values))).toEqual(values)));
});

test('strings are replaced at any depth, and looked up by name', () => {
  const [changed] = readAmf(
    writeAmf([mapStrings({ type: 'object', entries: [['app', { type: 'string', value: 'x' }]] }, () => 'live')]),
  );
  expect(textIn(changed, 'app')).toBe('live');
});

test('cut-off and deeply nested commands are read as far as they go', () => {
  const whole = writeAmf([
    { type: 'string', value: 'connect' },
    { type: 'number', value: 1 },
  ]);
  expect(readAmf(whole.subarray(0, -3))).toEqual([{ type: 'string', value: 'connect' }]);
  const deep = Buffer.concat(Array.from({ length: 5_000 }, () => Buffer.from([3, 0, 1, 0x61])));
  expect(readAmf(deep)).toEqual([]);
});

test('messages come out of chunks however the network cuts them', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), fc.array(fc.nat(9_000)), (messages, cuts) => {
      const bytes = Buffer.concat(messages.map(writeChunks));
      const reader = new ChunkReader((type) => type !== 8);
      const found: RtmpMessage[] = [];
      let from = 0;
      for (const cut of [...cuts.filter((each) => each < bytes.length).sort((a, b) => a - b), bytes.length]) {
        found.push(...reader.push(bytes.subarray(from, cut)));
        from = cut;
      }
      expect(found).toEqual(messages.filter(({ type }) => type !== 8));
    }),
    { numRuns: 200 },
  );
});

test('garbage is an error of the protocol, and holds no more memory than a key frame', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
      try {
        new ChunkReader(() => true).push(Buffer.from(bytes));
      } catch (error) {
        expect(error).toMatchObject({ code: 'SOURCE_PROTOCOL' });
      }
    }),
    { numRuns: 500, seed: 20_261_124 },
  );
  const reader = new ChunkReader(() => true);
  const part = Buffer.alloc(128, 1);
  const endless = (): void => {
    for (let stream = 2; stream < 60; stream++) {
      reader.push(Buffer.from([stream, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0]));
      reader.push(part);
      for (let i = 0; i < 3_000; i++) reader.push(Buffer.concat([Buffer.from([0xc0 | stream]), part]));
    }
  };
  expect(endless).toThrow(expect.objectContaining({ code: 'SOURCE_PROTOCOL' }));
});

test.each([
  ['/live/camera', 'live', 'camera'],
  ['/live/camera?key=k', 'live', 'camera?key=k'],
  ['/app/instance/camera', 'app/instance', 'camera'],
  ['/vod/film.mp4', 'vod', 'mp4:film.mp4'],
  ['/vod/film.flv', 'vod', 'film'],
])('%s is application %s and stream %s', (path, application, stream) => {
  expect(divideRtmpPath(path)).toEqual({ application, stream });
});
