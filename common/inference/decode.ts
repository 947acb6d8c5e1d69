import jpeg from '@julusian/jpeg-turbo';
import sharp from 'sharp';
import { AppError } from '../runtime/errors.ts';

/** Pixels in reading order, 8 bits a channel, R G B. */
export interface RgbImage {
  data: Buffer;
  width: number;
  height: number;
}

/** What `decodeRgb` does, in words: part of the identity of everything that was computed from its pixels. */
export const DECODER =
  'JPEG by libjpeg-turbo (@julusian/jpeg-turbo 2.3), the rest by sharp; RGB, full size, EXIF orientation ignored';

const isJpeg = (bytes: Uint8Array): boolean => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;

/**
 * The one decoder of trainer and agent: JPEG by libjpeg-turbo at full size, EXIF orientation ignored; what it does not do
 * (CMYK) and every other format by sharp. Callers check the size in pixels before.
 *
 * @throws AppError `IMAGE_UNDECODABLE`
 */
export async function decodeRgb(bytes: Buffer): Promise<RgbImage> {
  if (isJpeg(bytes)) {
    try {
      const { data, width, height } = jpeg.decompressSync(bytes, { format: jpeg.FORMAT_RGB });
      return { data, width, height };
    } catch {
      // CMYK and YCCK have no direct way to RGB in libjpeg-turbo; sharp decides below.
    }
  }
  try {
    const image = sharp(bytes, { failOn: 'none' }).toColourspace('srgb').flatten({ background: '#000' });
    const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
    return {
      data: info.channels === 3 ? data : greyToRgb(data, info.channels),
      width: info.width,
      height: info.height,
    };
  } catch (error) {
    throw new AppError('IMAGE_UNDECODABLE', 'The picture cannot be decoded to RGB.', { cause: error });
  }
}

function greyToRgb(data: Buffer, channels: number): Buffer {
  const pixels = data.length / channels;
  const rgb = Buffer.alloc(pixels * 3);
  for (let p = 0; p < pixels; p++) rgb.fill(data[p * channels] as number, p * 3, p * 3 + 3);
  return rgb;
}
