import { isSameCard } from '../../../common/domain/perceptual-hash.ts';

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
/**
 * The cards among the still pictures: of each host the pictures that agents take for one of them, as a name that is written on a card or
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
  let left = [...pictures];
  const cards: Card[] = [];
  for (;;) {
    const best = left
      .map((centre) => groupAround(centre, left, known))
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
  known: ReadonlySet<string>,
): Group {
  const members = pictures.filter((other) => isSameCard(hash, other.hash));
  const cameras = members.reduce((total, member) => total + member.cameras, 0);
  return { host, hash, cameras, own, members, isKnown: known.has(hash) };
}

const isCard = ({ cameras, members }: Group): boolean =>
  cameras >= LEAST.cameras && new Set(members.flatMap(({ places }) => places)).size >= LEAST.places;

function bestFirst(one: Group, other: Group): number {
  if (one.isKnown !== other.isKnown) return one.isKnown ? -1 : 1;
  return other.cameras - one.cameras || other.own - one.own || (one.hash < other.hash ? -1 : 1);
}
