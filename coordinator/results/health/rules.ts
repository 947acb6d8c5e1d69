import type { CameraState } from '../../../common/domain/health.ts';
import { MEANINGS } from '../../../common/domain/health.ts';
import type { Verdict } from '../../../common/domain/verdict.ts';

/** One letter a state: the last few samples of a camera are a word of them, newest last. */
export const LETTERS = {
  online: 'g',
  degraded: 'd',
  frozen: 'f',
  black: 'b',
  placeholder: 'p',
  offline: 'o',
  unknown: 'u',
} as const satisfies Record<Exclude<CameraState, 'paused'>, string>;

export type Sampled = keyof typeof LETTERS;
const STATE_OF = Object.fromEntries(Object.entries(LETTERS).map(([state, letter]) => [letter, state])) as Record<
  string,
  Sampled
>;

/** What is remembered of a camera's health between two samples. Instants are ms of the database's clock. */
export interface Health {
  state: CameraState;
  /** Since when it is in this state. */
  since: number;
  /** The last samples. */
  recent: string;
  /** First sample of the present run of good, or of not good, ones. */
  turnedAt: number;
  /** The newest sample. */
  seenAt: number;
}

/** A new state needs 3 of the last 5 samples: one lost frame is no illness, and three in a row are no accident. */
const WINDOW = 5;
const NEEDED = 3;
/** Back to online takes three good samples in a row, so that a camera which works now and then does not come and go. */
const RECOVERY = LETTERS.online.repeat(3);

/** The health after one more sample. A sample that is not newer than the last one changes nothing. */
export function observe(health: Health | undefined, sample: { verdict: Verdict; at: number }): Health {
  const letter = LETTERS[MEANINGS[sample.verdict].state];
  if (!health) return begin(letter, sample.at);
  if (sample.at <= health.seenAt) return health;
  const recent = (health.recent + letter).slice(-WINDOW);
  const turned = isGood(letter) !== isGood(health.recent.at(-1) ?? letter);
  const turnedAt = turned ? sample.at : health.turnedAt;
  const state = decide(health.state, recent);
  // Never before the state that it follows.
  const since = state === health.state ? health.since : Math.max(health.since, turnedAt);
  return { state, since, recent, turnedAt, seenAt: sample.at };
}

function begin(letter: string, at: number): Health {
  return { state: isGood(letter) ? 'online' : 'unknown', since: at, recent: letter, turnedAt: at, seenAt: at };
}

/** The state that the last samples speak for; the present one where they do not say enough. */
export function decide(state: CameraState, recent: string): CameraState {
  const good = count(recent, LETTERS.online);
  const bad = [...recent].filter((letter) => !isGood(letter));
  if (recent.endsWith(RECOVERY)) return 'online';
  // The first thing that is ever seen of a camera needs no confirmation when it is good.
  if (isOpen(state) && bad.length === 0) return 'online';
  const wasIll = state !== 'online' && !isOpen(state);
  if (wasIll && good >= NEEDED) return 'degraded';
  if (bad.length < NEEDED) return state;
  const newest = recent.at(-1) ?? '';
  if (recent.endsWith(newest.repeat(NEEDED))) return STATE_OF[newest] ?? state;
  const own = state === 'paused' ? '' : LETTERS[state];
  if (wasIll && (count(recent, own) >= 2 || state === 'degraded')) return state;
  const frequent = bad.find((letter) => count(recent, letter) >= NEEDED);
  return good === 0 && frequent !== undefined ? (STATE_OF[frequent] ?? state) : 'degraded';
}

const isGood = (letter: string): boolean => letter === LETTERS.online;
const isOpen = (state: CameraState): boolean => state === 'unknown' || state === 'paused';
const count = (word: string, letter: string): number => (letter === '' ? 0 : word.split(letter).length - 1);

/** The letter of samples that would change nothing any more; such rows need not be written. `null` while it is undecided. */
export function settledLetter({ state, recent }: Pick<Health, 'state' | 'recent'>): string | null {
  const letter = recent.at(-1);
  if (letter === undefined || STATE_OF[letter] !== state || state === 'unknown') return null;
  if (recent !== letter.repeat(recent.length)) return null;
  return isGood(letter) || recent.length === WINDOW ? letter : null;
}
