import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TsKeyFrame } from '../../../../../agent/sources/ts-key-frame.ts';

interface Packet {
  pid: number;
  /** A packetised stream begins here, with this number. */
  stream?: number;
  entryPoint?: boolean;
}

function packet({ pid, stream, entryPoint = false }: Packet): Buffer {
  const bytes = Buffer.alloc(188, 0xff);
  bytes[0] = 0x47;
  bytes.writeUInt16BE(pid | (stream === undefined ? 0 : 0x4000), 1);
  bytes[3] = entryPoint ? 0x30 : 0x10;
  if (entryPoint) bytes.set([1, 0x40], 4);
  if (stream !== undefined) bytes.set([0, 0, 1, stream], entryPoint ? 6 : 4);
  return bytes;
}

const VIDEO = 0xe0;
const SOUND = 0xc0;
const SEGMENT: Packet[] = [
  { pid: 0 },
  { pid: 257, stream: SOUND, entryPoint: true },
  { pid: 256, stream: VIDEO },
  { pid: 256, stream: VIDEO, entryPoint: true },
  { pid: 257, stream: SOUND, entryPoint: true },
  { pid: 256 },
  { pid: 256, stream: VIDEO },
  { pid: 256 },
];

test('the input ends where the picture behind the first key frame begins, however the network cuts it', () => {
  const bytes = Buffer.concat(SEGMENT.map(packet));
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
      const keyFrame = new TsKeyFrame();
      const taken: Buffer[] = [];
      let from = 0;
      for (const cut of [...cuts.sort((a, b) => a - b), bytes.length]) {
        const { bytes: needed, isEnd } = keyFrame.take(bytes.subarray(from, cut));
        taken.push(needed);
        if (isEnd) break;
        from = cut;
      }
      expect(Buffer.concat(taken)).toEqual(bytes.subarray(0, 6 * 188));
    }),
  );
});

test('without a mark, and out of step, everything is needed', () => {
  for (const bytes of [
    Buffer.concat(SEGMENT.slice(0, 3).map(packet)),
    Buffer.concat([packet({ pid: 0 }), Buffer.from('noise'), ...SEGMENT.map(packet)]),
  ]) {
    const keyFrame = new TsKeyFrame();
    const { bytes: needed, isEnd } = keyFrame.take(bytes);
    expect(isEnd).toBe(false);
    expect(Buffer.concat([needed, keyFrame.rest()])).toEqual(bytes);
  }
});
