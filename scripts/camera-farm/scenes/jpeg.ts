import turbo from '@julusian/jpeg-turbo';

let scratch = Buffer.alloc(0);

/** Encodes RGB bytes. The result is a copy of its own length: the encoder's own buffer has room for the worst case. */
export function encodeJpeg(data: Uint8ClampedArray, width: number, height: number, quality: number): Buffer {
  const options = { format: turbo.FORMAT_RGB, width, height, quality, subsampling: turbo.SAMP_420 };
  const room = turbo.bufferSize(options);
  if (scratch.length < room) scratch = Buffer.alloc(room);
  const raw = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.from(turbo.compressSync(raw, scratch, options));
}
