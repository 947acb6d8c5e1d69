// What two perceptual hashes of pictures have in common: agents make the hashes, and agents and coordinator compare them.

/** Hex digits of a hash that tell edges from left to right: 16 × 8 blocks, a bit each. The rest tells them from top to bottom. */
const ACROSS = 32;

const DIGITS = '0123456789abcdef';
/** Bits, of a digit each. */
const ONES = Uint8Array.from({ length: 16 }, (_, digit) => [1, 2, 4, 8].filter((bit) => digit & bit).length);
/** Of a lower-case hex digit by its character code; everything else counts as 0. */
const VALUES = Uint8Array.from({ length: 128 }, (_, code) => Math.max(0, DIGITS.indexOf(String.fromCharCode(code))));

/** Four bits of a hash; 0 beyond its end. */
export const digitAt = (hash: string, at: number): number =>
  at < hash.length ? VALUES[hash.charCodeAt(at) & 127]! : 0;

/** How many bits of a digit are set. */
export const onesOf = (digit: number): number => ONES[digit]!;

/** The part of a hash that compares views. */
export const edgesOf = (hash: string): string => hash.slice(0, ACROSS);

/** Bits that differ. */
export function distance(a: string, b: string): number {
  let differing = 0;
  for (let at = 0; at < a.length; at++) differing += ONES[digitAt(a, at) ^ digitAt(b, at)]!;
  return differing;
}

/** Bits that are set. */
export function onesIn(hash: string): number {
  let ones = 0;
  for (let at = 0; at < hash.length; at++) ones += ONES[digitAt(hash, at)]!;
  return ones;
}

/** Encoders and sizes turn a bit or two of the same card; of the edges in it at most so large a share. */
const MOST_DISTANCE = 4;
const MOST_EDGES_SHARE = 0.35;

/**
 * Whether a picture is this placeholder card. A sky shades from top to bottom as many cards do: what is written on them must agree,
 * too.
 */
export function isSameCard(card: string, hash: string): boolean {
  if (card === hash) return true;
  const edges = edgesOf(card);
  return distance(card, hash) <= MOST_DISTANCE && distance(edges, edgesOf(hash)) <= onesIn(edges) * MOST_EDGES_SHARE;
}
