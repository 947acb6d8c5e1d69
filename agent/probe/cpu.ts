import { availableParallelism } from 'node:os';
import jpeg from '@julusian/jpeg-turbo';
import type { ProbeItem } from '../../common/protocol/agent-link.ts';

const MEASURE_MS = 200;
/** CIF, the size that most public cameras send. */
const WIDTH = 352;
const HEIGHT = 288;
/** Of what a core could decode, so much is left once it also fetches, hashes, judges and reports. */
const SHARE = 0.3;

/** Measures how fast one core decodes, and takes from it what all workers can capture. */
export function probeCpu(workers: number): { item: ProbeItem; capacity: number } {
  const cores = availableParallelism();
  const used = Math.min(cores, workers > 0 ? workers : cores);
  const decodes = decodesPerSecond();
  const capacity = Math.max(1, Math.floor(decodes * SHARE * used));
  const found = `${used} of ${cores} cores, ${Math.round(decodes)} pictures of ${WIDTH}×${HEIGHT} decoded a second and core: about ${capacity} attempts a second`;
  const ok = decodes >= 200;
  const mend = 'This machine is slow or busy: stop other programs, or expect few cameras on it';
  return { item: { name: 'cpu', ok, found, ...(!ok && { mend }) }, capacity };
}

function decodesPerSecond(): number {
  const picture = testPicture();
  const into = Buffer.alloc(WIDTH * HEIGHT);
  let decoded = 0;
  const began = performance.now();
  let elapsed = 0;
  while (elapsed < MEASURE_MS) {
    jpeg.decompressSync(picture, into, { format: jpeg.FORMAT_GRAY });
    decoded++;
    elapsed = performance.now() - began;
  }
  return (decoded * 1_000) / elapsed;
}

/** Waves and noise: about as many bytes as a street scene. */
function testPicture(): Buffer {
  const pixels = Buffer.alloc(WIDTH * HEIGHT * 3);
  let noise = 1;
  for (let i = 0; i < pixels.length; i++) {
    noise = (Math.imul(noise, 1_664_525) + 1_013_904_223) >>> 0;
    const at = Math.floor(i / 3);
    pixels[i] = 128 + 80 * Math.sin((at % WIDTH) / 17) * Math.cos(Math.floor(at / WIDTH) / 13) + (noise >>> 28);
  }
  const options = { format: jpeg.FORMAT_RGB, width: WIDTH, height: HEIGHT, quality: 75, subsampling: jpeg.SAMP_420 };
  return jpeg.compressSync(pixels, options) as Buffer;
}
