import { expect, test } from 'vitest';
import { KeyFrameSpotter } from '../../../../../agent/sources/rtp-key-frames.ts';

function packet(time: number, payload: number[], { last = false, type = 96, extension = false } = {}): Buffer {
  const head = Buffer.alloc(12);
  head[0] = 0x80 | (extension ? 0x10 : 0);
  head[1] = type | (last ? 0x80 : 0);
  head.writeUInt32BE(time, 4);
  const extra = extension ? [0xbe, 0xde, 0, 1, 1, 2, 3, 4] : [];
  return Buffer.concat([head, Buffer.from([...extra, ...payload])]);
}

function spotter(codec: string): KeyFrameSpotter {
  const made = new KeyFrameSpotter();
  made.learn(`v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 ${codec}/90000\r\n`);
  return made;
}

test('a key frame of H.264 is complete with its last packet', () => {
  const h264 = spotter('H264');
  expect(h264.completes(packet(1, [0x41, 0, 0], { last: true }))).toBe(false);
  expect(h264.completes(packet(2, [0x67, 0, 0]))).toBe(false);
  expect(h264.completes(packet(2, [0x7c, 0x85, 0], { extension: true }))).toBe(false); // the first part of a fragmented one
  expect(h264.completes(packet(2, [0x7c, 0x45, 0], { last: true }))).toBe(true);
});

test('without the mark of the last packet, the next frame tells', () => {
  const h264 = spotter('H264');
  expect(h264.completes(packet(2, [0x65, 0, 0]))).toBe(false);
  expect(h264.completes(packet(3, [0x41, 0, 0]))).toBe(true);
});

test('several units in one packet are looked through', () => {
  expect(spotter('H264').completes(packet(2, [0x78, 0, 2, 0x67, 0, 0, 2, 0x65, 0], { last: true }))).toBe(true);
  expect(spotter('H264').completes(packet(2, [0x78, 0, 2, 0x67, 0, 0, 9, 0x41, 0], { last: true }))).toBe(false);
});

test('H.265 has its own types, and what is not known is never complete', () => {
  expect(spotter('H265').completes(packet(2, [19 << 1, 1, 0], { last: true }))).toBe(true);
  expect(spotter('H265').completes(packet(2, [49 << 1, 1, 0x93], { last: true }))).toBe(true);
  expect(spotter('H265').completes(packet(2, [1 << 1, 1, 0], { last: true }))).toBe(false);
  expect(spotter('MP4V-ES').completes(packet(2, [0x65, 0, 0], { last: true }))).toBe(false);
  expect(spotter('H264').completes(packet(2, [0x65, 0, 0], { last: true, type: 97 }))).toBe(false);
  expect(spotter('H264').completes(Buffer.from([0x80, 96, 0]))).toBe(false);
});
