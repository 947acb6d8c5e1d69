/** A still picture that some cameras of a host show. */
export interface StillPicture {
  host: string;
  /** 48 hex digits: the first 32 tell edges from left to right. */
  hash: string;
  /** Cameras that show it, and where these stand. */
  cameras: number;
  places: readonly string[];
}

/** A picture that several cameras of a host show in the place of their own. */
export interface Card {
  host: string;
  hash: string;
  cameras: number;
}

/** One camera that is registered several times has one place. */
const LEAST = { cameras: 3, places: 3 };
/** What agents take for the same picture; nothing wider may be learned, for they would not find it. */
const MOST_DISTANCE = 4;
const MOST_EDGES_SHARE = 0.35;

type Words = readonly number[];
const WORDS_OF_EDGES = 4;

const wordsOf = (hash: string): Words => (hash.match(/.{8}/g) ?? []).map((digits) => Number.parseInt(digits, 16));

function onesIn(word: number): number {
  let rest = word - ((word >>> 1) & 0x55555555);
  rest = (rest & 0x33333333) + ((rest >>> 2) & 0x33333333);
  return Math.imul((rest + (rest >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function isNear(card: Words, other: Words): boolean {
  let differing = 0;
  let differingEdges = 0;
  let edges = 0;
  for (let at = 0; at < card.length; at++) {
    const ones = onesIn(card[at]! ^ other[at]!);
    differing += ones;
    if (differing > MOST_DISTANCE) return false;
    if (at >= WORDS_OF_EDGES) continue;
    differingEdges += ones;
    edges += onesIn(card[at]!);
  }
  return differingEdges <= edges * MOST_EDGES_SHARE;
}

/** Whether agents that know the card take the other picture for it. */
export const isSameCard = (card: string, other: string): boolean => isNear(wordsOf(card), wordsOf(other));

/**
 * The cards among the still pictures: of each host the pictures that are near one of them, as a name that is written on a card or
 * another encoding makes them. The same for the same pictures, in whatever order they come. `known`: candidates of earlier times
 * stay what stands for their card as long as enough cameras show it, so that a card grows old although its pictures come and go.
 */
export function findCards(pictures: readonly StillPicture[], known: ReadonlySet<string>): Card[] {
  const byHost = new Map<string, StillPicture[]>();
  for (const picture of pictures) {
    const own = byHost.get(picture.host);
    if (own) own.push(picture);
    else byHost.set(picture.host, [picture]);
  }
  const cards = new Map<string, Card>();
  for (const own of byHost.values()) {
    for (const card of cardsOf(own, known)) {
      const other = cards.get(card.hash);
      if (!other || isBefore(card, other)) cards.set(card.hash, card);
    }
  }
  return [...cards.values()];
}

const isBefore = (one: Card, other: Card): boolean =>
  one.cameras > other.cameras || (one.cameras === other.cameras && one.host < other.host);

interface Group extends Card {
  /** Cameras that show the very picture that stands for the group. */
  own: number;
  isKnown: boolean;
  members: StillPicture[];
}

function cardsOf(pictures: readonly StillPicture[], known: ReadonlySet<string>): Card[] {
  const words = new Map(pictures.map(({ hash }) => [hash, wordsOf(hash)]));
  let left = [...pictures];
  const cards: Card[] = [];
  for (;;) {
    const best = left
      .map((centre) => groupAround(centre, left, words, known))
      .filter(isCard)
      .toSorted(bestFirst)[0];
    if (!best) return cards;
    cards.push({ host: best.host, hash: best.hash, cameras: best.cameras });
    left = left.filter((picture) => !best.members.includes(picture));
  }
}

function groupAround(
  { host, hash, cameras: own }: StillPicture,
  pictures: readonly StillPicture[],
  words: ReadonlyMap<string, Words>,
  known: ReadonlySet<string>,
): Group {
  const centre = words.get(hash)!;
  const members = pictures.filter((other) => isNear(centre, words.get(other.hash)!));
  const cameras = members.reduce((total, member) => total + member.cameras, 0);
  return { host, hash, cameras, own, members, isKnown: known.has(hash) };
}

const isCard = ({ cameras, members }: Group): boolean =>
  cameras >= LEAST.cameras && new Set(members.flatMap(({ places }) => places)).size >= LEAST.places;

function bestFirst(one: Group, other: Group): number {
  if (one.isKnown !== other.isKnown) return one.isKnown ? -1 : 1;
  return other.cameras - one.cameras || other.own - one.own || (one.hash < other.hash ? -1 : 1);
}
