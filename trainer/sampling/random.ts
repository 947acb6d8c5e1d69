/** A repeatable source of random numbers; the same keys give the same sequence on every machine. */
export interface Random {
  /** @returns a number in [0, 1) with 32 random bits. */
  next(): number;
  /** @returns a whole number in [0, n). */
  below(n: number): number;
}

/** FNV-1a over the text of the keys, finished as in MurmurHash3 so that neighbouring seeds share no bits. */
function hashOf(text: string, basis: number): number {
  let hash = basis;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * Generator sfc32 (small fast counting, 128 bits of state), seeded by a list of keys, e.g. `createRandom(seed, 'class', 3)`.
 * State never needs to be stored: whoever wants the same numbers again names the same keys.
 */
export function createRandom(...keys: readonly (string | number)[]): Random {
  const text = keys.join('\u0000');
  let a = hashOf(text, 0x811c9dc5);
  let b = hashOf(text, 0x9e3779b9);
  let c = hashOf(text, 0x243f6a88);
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 4294967296;
  };
  // The first outputs still show the seed; a dozen rounds mix it through.
  for (let i = 0; i < 12; i++) next();
  return { next, below: (n) => Math.floor(next() * n) };
}

/** Fisher-Yates, in place. @returns the same array. */
export function shuffle<T>(items: T[], random: Random): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const item = items[i] as T;
    items[i] = items[j] as T;
    items[j] = item;
  }
  return items;
}
