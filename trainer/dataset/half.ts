// Node 20 has no Float16Array. IEEE 754 half precision: 1 sign, 5 exponent and 10 fraction bits; largest 65504.

const DECODED = Float32Array.from({ length: 65_536 }, (_, bits) => decode(bits));
const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

function decode(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The nearest half, ties to even; Infinity beyond the range. */
function encode(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0] as number;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // 65520 is half way to what would be the next half.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    // Rounding may carry into the exponent, which is then right as well.
    const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
    return sign | ((rounded - 0x38000000) >>> 13);
  }
  const tiny = Math.abs(value) * 2 ** 24;
  const floor = Math.floor(tiny);
  const up = tiny - floor > 0.5 || (tiny - floor === 0.5 && (floor & 1) === 1);
  return sign | (up ? floor + 1 : floor);
}

export function toHalves(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) halves[i] = encode(values[i] as number);
  return halves;
}

export function fromHalves(halves: Uint16Array, to: Float32Array): void {
  for (let i = 0; i < halves.length; i++) to[i] = DECODED[halves[i] as number] as number;
}
