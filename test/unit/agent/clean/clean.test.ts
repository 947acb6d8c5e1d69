import jpegTurbo from '@julusian/jpeg-turbo';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { Cleaner } from '../../../../agent/clean/clean.ts';
import type { Cleaned } from '../../../../agent/clean/clean.ts';
import { cleanMemorySchema } from '../../../../common/domain/frame.ts';
import type { CleanMemory, EncodedFrame } from '../../../../common/domain/frame.ts';

const MINUTE = 60_000;

/** A grey JPEG from a function of the place; noise makes every frame another one, as a sensor does. */
function picture(
  value: (x: number, y: number) => number,
  { width = 176, height = 144, quality = 75, noise = 0 } = {},
): Buffer {
  const data = Buffer.alloc(width * height);
  for (let i = 0; i < data.length; i++) {
    const grain = noise === 0 ? 0 : (Math.random() - 0.5) * noise;
    data[i] = Math.max(0, Math.min(255, Math.round(value(i % width, Math.floor(i / width)) + grain)));
  }
  return jpegTurbo.compressSync(data, {
    format: jpegTurbo.FORMAT_GRAY,
    subsampling: jpegTurbo.SAMP_GRAY,
    width,
    height,
    quality,
  });
}

const street = (seed = 0) =>
  picture((x, y) => 90 + 50 * Math.sin((x + seed * 13) / 17) + 40 * Math.sin((y * x) / 900), { noise: 12 });

/** One camera under one cleaner, a minute between its frames. */
class Camera {
  memory: CleanMemory = {};
  at = 1_700_000_000_000;
  readonly cleaner = new Cleaner();

  async show(bytes: Buffer | null, extra: Partial<EncodedFrame> = {}, afterMs = MINUTE): Promise<Cleaned> {
    this.at += afterMs;
    const frame: EncodedFrame = {
      bytes,
      notModified: bytes === null,
      fetchedAt: this.at,
      transferBytes: bytes?.length ?? 0,
      ...extra,
    };
    const cleaned = await this.cleaner.clean(frame, this.memory);
    // As it travels in a grant.
    this.memory = cleanMemorySchema.parse(JSON.parse(JSON.stringify(cleaned.memory)));
    expect(JSON.stringify(this.memory).length).toBeLessThan(900);
    return cleaned;
  }

  async verdicts(frames: readonly (Buffer | null)[]): Promise<string[]> {
    const seen: string[] = [];
    for (const bytes of frames) seen.push((await this.show(bytes)).verdict);
    return seen;
  }
}

describe('cheapest first', () => {
  test('equal bytes and 304 end as duplicates before anything is decoded', async () => {
    const camera = new Camera();
    const first = await camera.show(street(), { etag: '"1"' });
    expect(first).toMatchObject({ verdict: 'good', grey: { width: 176, height: 144, channels: 1 } });
    expect(first.thumbnail).toHaveLength(768);
    const bytes = street(1);
    await camera.show(bytes, { etag: '"2"', lastModified: 'Tue, 09 Aug 2016 21:26:50 GMT' });
    const again = await camera.show(bytes, { etag: '"2b"' });
    expect(again).toMatchObject({ verdict: 'duplicate', evidence: { repeats: 'bytes' } });
    expect(again.grey).toBeUndefined();
    expect(camera.memory).toMatchObject({ etag: '"2b"', repeats: 1, verdict: 'good' });
    expect(camera.memory.lastModified).toBeUndefined();
    const unchanged = await camera.show(null);
    expect(unchanged).toMatchObject({
      verdict: 'duplicate',
      evidence: { repeats: 'not modified' },
      digest: again.digest,
    });
    expect(camera.memory.etag).toBe('"2b"');
  });

  test('the same pixels in other bytes are a duplicate too', async () => {
    const camera = new Camera();
    const bytes = street();
    await camera.show(bytes);
    const comment = Buffer.concat([
      bytes.subarray(0, 2),
      Buffer.from([0xff, 0xfe, 0, 6]),
      Buffer.from('12:0'),
      bytes.subarray(2),
    ]);
    expect(await camera.show(comment)).toMatchObject({ verdict: 'duplicate', evidence: { repeats: 'picture' } });
  });

  test('known bad bytes keep their verdict without being looked at again', async () => {
    const camera = new Camera();
    const page = Buffer.from('<!DOCTYPE html><html>login</html>');
    const black = picture(() => 2);
    expect(await camera.verdicts([street(), page, page, null, black, black, null])).toEqual([
      'good',
      'not_an_image',
      'not_an_image',
      'not_an_image',
      'black',
      'black',
      'black',
    ]);
  });

  test('an empty answer leaves no trace: the next one is compared with the last picture', async () => {
    const camera = new Camera();
    const bytes = street();
    expect(await camera.verdicts([bytes, Buffer.alloc(0), bytes])).toEqual(['good', 'empty', 'duplicate']);
  });
});

describe('black and blank', () => {
  const lamp = (x: number, y: number) => (Math.hypot(x - 100, y - 60) < 4 ? 240 : 3);
  test.each([
    ['a covered lens', picture(() => 3, { noise: 3 }), 'black'],
    ['a black card', picture(() => 0), 'black'],
    ['a night scene with one lamp', picture(lamp, { noise: 4 }), 'good'],
    ['a dark scene with structure', picture((x) => 4 + 8 * Math.sin(x / 20) ** 2, { noise: 14 }), 'good'],
    ['a blue screen', picture(() => 120), 'blank'],
    ['a white card', picture(() => 255), 'blank'],
    ['fog over a street', picture((x, y) => 170 + 6 * Math.sin(x / 40) + 5 * Math.cos(y / 30), { noise: 6 }), 'good'],
    [
      'a uniform card with a line of text',
      picture((x, y) => (y > 70 && y < 78 && x % 7 < 3 && x > 50 && x < 125 ? 0 : 200)),
      'good',
    ],
  ])('%s', async (_name, bytes, verdict) => {
    expect((await new Camera().show(bytes)).verdict).toBe(verdict);
  });
});

describe('low byte size', () => {
  const small = picture((x) => 90 + 20 * Math.sin(x / 60), { quality: 10 });

  test('far fewer bytes than usual are told, with the threshold learned', async () => {
    const camera = new Camera();
    for (let i = 0; i < 30; i++) await camera.show(street(i));
    const cleaned = await camera.show(small);
    expect(cleaned.verdict).toBe('low_byte_size');
    expect(cleaned.evidence['threshold']).toBeGreaterThan(small.length);
  });

  test('never on the first frames of a camera, nor right after it changed its size', async () => {
    const camera = new Camera();
    for (let i = 0; i < 10; i++) await camera.show(street(i));
    expect((await camera.show(small)).verdict).toBe('good');
    for (let i = 0; i < 30; i++) await camera.show(street(i));
    const other = picture((x) => 90 + 60 * Math.sin(x / 6), { width: 80, height: 60, quality: 30 });
    expect((await camera.show(other)).verdict).toBe('good');
  });

  test('what stays becomes usual', async () => {
    const camera = new Camera();
    for (let i = 0; i < 30; i++) await camera.show(street(i));
    let told = 0;
    for (let i = 0; i < 200; i++) {
      const poor = picture((x) => 90 + 20 * Math.sin((x + i) / 60), { quality: 10 });
      if ((await camera.show(poor)).verdict === 'low_byte_size') told++;
    }
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThan(60);
  });
});

describe('frozen', () => {
  test('a picture that stays much longer than this camera used to keep one', async () => {
    const camera = new Camera();
    for (let i = 0; i < 5; i++) await camera.show(street(i));
    const last = street(9);
    const verdicts = await camera.verdicts(Array<Buffer>(13).fill(last));
    expect(verdicts.slice(0, 11)).toEqual(['good', ...Array<string>(10).fill('duplicate')]);
    expect(verdicts.slice(11)).toEqual(['frozen', 'frozen']);
    expect((await camera.show(null)).evidence).toMatchObject({
      unchangedMs: 13 * MINUTE,
      threshold: 10 * MINUTE,
      repeats: 13,
    });
    expect((await camera.show(street(10))).verdict).toBe('good');
    expect((await camera.show(null)).verdict).toBe('duplicate');
  });

  test('not for a camera that was never seen to change', async () => {
    const camera = new Camera();
    expect(new Set((await camera.verdicts(Array<Buffer>(600).fill(street()))).slice(1))).toEqual(
      new Set(['duplicate']),
    );
  });

  test('not for a camera that is used to keep a picture for an hour', async () => {
    const camera = new Camera();
    for (let hour = 0; hour < 6; hour++) {
      const verdicts = await camera.verdicts(Array<Buffer>(60).fill(street(hour)));
      if (hour > 0) expect(verdicts).not.toContain('frozen');
    }
  });

  test('not because nobody looked for a day', async () => {
    const camera = new Camera();
    const bytes = street(7);
    for (let i = 0; i < 5; i++) await camera.show(street(i));
    await camera.show(bytes);
    expect((await camera.show(bytes, {}, 24 * 60 * MINUTE)).verdict).toBe('duplicate');
    expect((await camera.show(street(8))).verdict).toBe('good');
  });
});

describe('bytes that are no whole picture', () => {
  const whole = street();

  test.each([
    ['cut off in the middle', whole.subarray(0, whole.length >> 1), 'corrupt'],
    ['cut off near the end', whole.subarray(0, -200), 'corrupt'],
    ['only a header', whole.subarray(0, 60), 'corrupt'],
    ['two bytes', whole.subarray(0, 2), 'corrupt'],
    ['without end marker', whole.subarray(0, -2), 'good'],
    ['with padding behind', Buffer.concat([whole, Buffer.alloc(500)]), 'good'],
    ['text', Buffer.from('camera offline'), 'not_an_image'],
    ['one byte', Buffer.from([7]), 'not_an_image'],
    ['a drawing', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), 'not_an_image'],
  ])('%s', async (_name, bytes, verdict) => {
    expect((await new Camera().show(Buffer.from(bytes))).verdict).toBe(verdict);
  });

  test('a picture of few bytes that claims 4 gigapixels is refused by its header', async () => {
    const giant = Buffer.from(whole);
    const sof = giant.indexOf(Buffer.from([0xff, 0xc0]));
    giant.writeUInt16BE(65_500, sof + 5);
    giant.writeUInt16BE(65_500, sof + 7);
    expect(await new Camera().show(giant)).toMatchObject({ verdict: 'oversized', evidence: { detail: '65500x65500' } });
  });

  test('a picture of endless scans is refused without being decoded', async () => {
    const scan = whole.indexOf(Buffer.from([0xff, 0xda]));
    const scans = Array<Buffer>(500).fill(whole.subarray(scan, -2));
    const started = performance.now();
    expect((await new Camera().show(Buffer.concat([whole.subarray(0, scan), ...scans]))).verdict).toBe('corrupt');
    expect(performance.now() - started).toBeLessThan(200);
  });
});

describe('other formats', () => {
  const raw = { raw: { width: 64, height: 48, channels: 3 as const } };
  const pixels = Buffer.from(Array.from({ length: 64 * 48 * 3 }, (_, i) => (i * 7) & 255));

  test.each(['png', 'webp', 'gif'] as const)('%s pictures are decoded to the same kinds of pixels', async (format) => {
    const bytes = await sharp(pixels, raw).toFormat(format).toBuffer();
    const camera = new Camera();
    expect(await camera.show(bytes)).toMatchObject({
      verdict: 'good',
      grey: { width: 64, height: 48, channels: 1, format },
    });
    const rgb = await camera.cleaner.decoder.decodeRgb(bytes);
    expect(rgb).toMatchObject({ ok: true, image: { width: 64, height: 48, channels: 3 } });
    if (rgb.ok) expect(rgb.image.data).toHaveLength(64 * 48 * 3);
  });

  test('RGB is decoded at full size into the buffer given, orientation ignored', async () => {
    const turned = await sharp(pixels, raw).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    const into = Buffer.alloc(100_000);
    const decoded = await new Cleaner().decoder.decodeRgb(turned, into);
    expect(decoded).toMatchObject({ ok: true, image: { width: 64, height: 48, channels: 3 } });
    if (decoded.ok) expect(decoded.image.data.buffer).toBe(into.buffer);
  });

  test('a CMYK JPEG comes out as RGB', async () => {
    const cmyk = await sharp(pixels, raw).toColourspace('cmyk').jpeg().toBuffer();
    expect(await new Cleaner().decoder.decodeRgb(cmyk)).toMatchObject({ ok: true, image: { channels: 3, width: 64 } });
    expect((await new Camera().show(cmyk)).verdict).toBe('good');
  });
});
