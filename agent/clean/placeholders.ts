import { edgesOf, isSameCard, onesIn } from '../../common/domain/perceptual-hash.ts';

/** Pictures with hardly any structure are alike, whatever they show: they are no cards that could be told apart. */
const LEAST_STRUCTURE = { bits: 10, edges: 4 };

export const hasStructure = (hash: string): boolean =>
  onesIn(hash) >= LEAST_STRUCTURE.bits && onesIn(edgesOf(hash)) >= LEAST_STRUCTURE.edges;

/** The cards that the fleet has learned. */
export class Placeholders {
  #hashes: readonly string[] = [];
  /** Verdicts of hashes asked before: most cameras ask for the same one again and again. */
  #known = new Map<string, boolean>();

  set(hashes: readonly string[]): void {
    this.#hashes = hashes.filter(hasStructure);
    this.#known.clear();
  }

  has(hash: string | undefined): boolean {
    if (hash === undefined || this.#hashes.length === 0) return false;
    const known = this.#known.get(hash);
    if (known !== undefined) return known;
    const found = this.#hashes.some((card) => isSameCard(card, hash));
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(hash, found);
    return found;
  }
}

const MOST_KNOWN = 10_000;
