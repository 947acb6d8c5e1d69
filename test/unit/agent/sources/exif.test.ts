import fc from 'fast-check';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { exifInstant } from '../../../../agent/sources/exif.ts';

/** A JPEG by another program's EXIF writer. */
function jpegTakenAt(time: string | undefined, offset: string | undefined): Promise<Buffer> {
  const IFD2: Record<string, string> = {};
  if (time !== undefined) IFD2['DateTimeOriginal'] = time;
  if (offset !== undefined) IFD2['OffsetTimeOriginal'] = offset;
  return sharp({ create: { width: 16, height: 16, channels: 3, background: '#888' } })
    .withExif({ IFD0: { Make: 'Camera works' }, IFD2 })
    .jpeg()
    .toBuffer();
}

test('the instant is read with its offset', async () => {
  const jpeg = await jpegTakenAt('2026:07:01 13:30:05', '+02:00');
  expect(exifInstant(jpeg)).toBe(Date.parse('2026-07-01T11:30:05Z'));
});

test('a time of an unknown zone, an empty one and no EXIF at all are nothing', async () => {
  expect(exifInstant(await jpegTakenAt('2026:07:01 13:30:05', undefined))).toBeUndefined();
  expect(exifInstant(await jpegTakenAt('0000:00:00 00:00:00', '+00:00'))).toBeUndefined();
  expect(exifInstant(await jpegTakenAt(undefined, undefined))).toBeUndefined();
  expect(exifInstant(Buffer.alloc(0))).toBeUndefined();
});

test('whatever is damaged reads as absent or as some instant, and never throws', async () => {
  const jpeg = await jpegTakenAt('2026:07:01 13:30:05', '+02:00');
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 20 }), fc.nat(jpeg.length), (hits, end) => {
      const broken = Buffer.from(jpeg.subarray(0, end));
      for (const [at, value] of hits) if (at < broken.length) broken[at] = value;
      const found = exifInstant(broken);
      expect(found === undefined || Number.isFinite(found)).toBe(true);
    }),
  );
});
