import { crc32, deflateSync } from 'node:zlib';
import turbo from '@julusian/jpeg-turbo';
import type { Picture } from '../picture.ts';
import { pictureOf } from '../picture.ts';
import { blankPicture } from './broken-pictures.ts';
import { encodeJpeg } from './jpeg.ts';

interface Size {
  width: number;
  height: number;
}

const kept = new Map<string, Picture>();
const keep = (key: string, make: () => Picture): Picture => {
  const known = kept.get(key) ?? make();
  kept.set(key, known);
  return known;
};

/** A small JPEG whose header claims 60,000 x 60,000 pixels. */
export const giganticPicture = (size: Size): Picture =>
  keep(`gigantic/${size.width}x${size.height}`, () => {
    const bytes = Buffer.from(blankPicture(size, 0).bytes);
    // FF C0: the frame header; height and width follow its length and precision.
    const at = bytes.indexOf(Buffer.from([0xff, 0xc0]));
    bytes.writeUInt16BE(60_000, at + 5);
    bytes.writeUInt16BE(60_000, at + 7);
    return pictureOf(bytes, 'image/jpeg');
  });

const SCANS = 500;

/** A JPEG that goes over the same pixels hundreds of times: seconds of work for some kilobytes. */
export const scanBomb = (size: Size): Picture =>
  keep(`scans/${size.width}x${size.height}`, () => {
    const { bytes } = blankPicture(size, 0);
    const at = bytes.lastIndexOf(Buffer.from([0xff, 0xda]));
    const scan = bytes.subarray(at, -2);
    const all = [bytes.subarray(0, at), ...Array<Buffer>(SCANS).fill(scan), bytes.subarray(-2)];
    return pictureOf(Buffer.concat(all), 'image/jpeg');
  });

const BOMB_SIDE = 20_000;

/** A valid PNG of 50 kB that decodes to 400 million pixels. */
export const pngBomb = (): Picture =>
  keep('png', () => {
    const header = Buffer.alloc(13);
    header.writeUInt32BE(BOMB_SIDE, 0);
    header.writeUInt32BE(BOMB_SIDE, 4);
    header[8] = 1; // a bit a pixel, grey
    const rows = Buffer.alloc(BOMB_SIDE * (1 + BOMB_SIDE / 8));
    const signature = Buffer.from('89504e470d0a1a0a', 'hex');
    const chunks = [chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))];
    return pictureOf(Buffer.concat([signature, ...chunks]), 'image/png');
  });

function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name), data]);
  const length = Buffer.alloc(4);
  const check = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

/** The same scene at half the size; a picture that is no JPEG stays as it is. */
export function halved(picture: Picture): Picture {
  if (picture.type !== 'image/jpeg') return picture;
  const { data, width, height } = turbo.decompressSync(picture.bytes, { format: turbo.FORMAT_RGB });
  const [w, h] = [width >> 1, height >> 1];
  const small = new Uint8ClampedArray(w * h * 3);
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++)
      for (let c = 0; c < 3; c++) small[(y * w + x) * 3 + c] = data[(y * 2 * width + x * 2) * 3 + c] as number;
  return pictureOf(encodeJpeg(small, w, h, 82), 'image/jpeg', picture.since, picture.version);
}
