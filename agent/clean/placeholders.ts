import { distance, edgesOf, onesIn } from './fingerprints.ts';

/** Encoders and sizes turn a bit or two of the same card; of the edges in it at most so large a share. */
const MOST_DISTANCE = 4;
const MOST_EDGES_SHARE = 0.35;
/** Pictures with hardly any structure are alike, whatever they show: they are no cards that could be told apart. */
const LEAST_STRUCTURE = { bits: 10, edges: 4 };

export const hasStructure = (hash: string): boolean =>
  onesIn(hash) >= LEAST_STRUCTURE.bits && onesIn(edgesOf(hash)) >= LEAST_STRUCTURE.edges;

/** A sky shades from top to bottom as many cards do: what is written on them must agree, too. */
function isSame(card: string, hash: string): boolean {
  if (card === hash) return true;
  const [edges, others] = [edgesOf(card), edgesOf(hash)];
  return distance(card, hash) <= MOST_DISTANCE && distance(edges, others) <= onesIn(edges) * MOST_EDGES_SHARE;
}

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
    const found = this.#hashes.some((card) => isSame(card, hash));
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(hash, found);
    return found;
  }
}

const MOST_KNOWN = 10_000;
