import type { Verdict } from '../../common/domain/verdict.ts';
import type { FaultAnswer, FaultScene } from './fault-answers.ts';
import { loginPage, redirect, showing, text } from './fault-answers.ts';
import { drip, dripHead, endless, otherProtocol, reset, stall } from './fault-wire.ts';
import type { Picture } from './picture.ts';
import { pictureOf } from './picture.ts';
import { giganticPicture, halved, pngBomb, scanBomb } from './scenes/bombs.ts';
import { blackPicture, blankPicture, placeholderPicture } from './scenes/broken-pictures.ts';

/**
 * `transport`: no whole answer or none with a body worth looking at. `content`: an answer whose bytes or pixels are bad.
 * `oddity`: the camera is strange, its pictures are good, and an agent must keep them.
 */
export type FaultGroup = 'transport' | 'content' | 'oddity';

interface Fault {
  group: FaultGroup;
  /** What an agent should find. */
  verdict: Verdict;
  /** What it may find before it has learned the camera's habits, for faults that show only over time. */
  atFirst?: Verdict;
  /** The one kind of camera that can have it. */
  only?: 'snapshot' | 'mjpeg';
  /** The host as a whole asks for rest: agents leave its other cameras alone, too. */
  ofHost?: boolean;
  /** For `--help`. */
  words: string;
  answer: (scene: FaultScene) => FaultAnswer;
}

const fault = (
  group: FaultGroup,
  verdict: Verdict,
  words: string,
  answer: Fault['answer'],
  more: Pick<Fault, 'atFirst' | 'only' | 'ofHost'> = {},
): Fault => ({ group, verdict, words, answer, ...more });

const HOUR_MS = 3_600_000;
const YEAR_MS = 8_766 * HOUR_MS;
const httpDate = (at: number): string => new Date(at).toUTCString();
const retryAfter = { 'Retry-After': '2' };
const busy = 'Too Many Requests\n';
const away = 'Service Unavailable\n';
const signIn = { 'WWW-Authenticate': 'Basic realm="Network Camera"' };

/** All faults by name. To add one, add a line. */
const TABLE = {
  hang: fault('transport', 'timeout', 'takes the request and never answers', () => ({ kind: 'hang' })),
  drip: fault('transport', 'timeout', 'sends its picture byte by byte', drip),
  'drip-head': fault('transport', 'timeout', 'sends header lines without end', dripHead),
  stalled: fault('transport', 'timeout', 'sends half a picture, then nothing more', stall),
  reset: fault('transport', 'refused', 'resets the connection before it answers', reset),
  dropped: fault('transport', 'interrupted', 'closes the connection in the middle', ({ current }) => ({ kind: 'drop', picture: current() })), // prettier-ignore
  'other-protocol': fault('transport', 'protocol_error', 'speaks another protocol than HTTP', otherProtocol),
  '401': fault('transport', 'unauthorized', 'wants to know who asks', () => text(401, 'text/plain', 'Unauthorized\n', signIn)), // prettier-ignore
  '403': fault('transport', 'unauthorized', 'refuses to show it', () => text(403, 'text/plain', 'Forbidden\n')),
  '404': fault('transport', 'http_error', 'has nothing there', () => text(404, 'text/plain', 'Not Found\n')),
  '429': fault('transport', 'http_error', 'is asked too often', () => text(429, 'text/plain', busy), { ofHost: true }),
  '429-retry-after': fault('transport', 'http_error', 'is asked too often and says until when', () => text(429, 'text/plain', busy, retryAfter), { ofHost: true }), // prettier-ignore
  '500': fault('transport', 'http_error', 'fails inside', () => text(500, 'text/plain', 'Internal Server Error\n')),
  '503': fault('transport', 'http_error', 'is out of service', () => text(503, 'text/plain', away), { ofHost: true }),
  '503-retry-after': fault('transport', 'http_error', 'is out of service and says until when', () => text(503, 'text/plain', away, retryAfter), { ofHost: true }), // prettier-ignore
  'redirect-loop': fault('transport', 'protocol_error', 'redirects to itself', ({ path }) => redirect(path)),
  'redirect-private': fault('transport', 'blocked', 'redirects to a private address', ({ turn }) => redirect(INSIDE[turn % INSIDE.length] as string)), // prettier-ignore
  endless: fault('transport', 'too_large', 'sends a picture that never stops growing', endless),

  html: fault('content', 'not_an_image', 'answers 200 with a sign-in page', loginPage),
  empty: fault('content', 'empty', 'answers 200 without a body', () => showing(pictureOf(Buffer.alloc(0), 'image/jpeg'))), // prettier-ignore
  truncated: fault('content', 'corrupt', 'sends the first half of a picture as if it were all', ({ current }) => showing(firstPart(current(), 0.55))), // prettier-ignore
  gigantic: fault('content', 'oversized', 'claims 60,000 x 60,000 pixels', ({ size }) => showing(giganticPicture(size))), // prettier-ignore
  'image-bomb': fault('content', 'oversized', 'sends 50 kB that decode to 400 million pixels', () => showing(pngBomb())), // prettier-ignore
  'scan-bomb': fault('content', 'corrupt', 'sends a JPEG of 500 scans', ({ size }) => showing(scanBomb(size))),
  frozen: fault('content', 'frozen', 'shows one picture for ever', ({ held }) => showing(held()), { atFirst: 'good' }),
  black: fault('content', 'black', 'sees nothing but darkness', ({ size, turn }) => showing(blackPicture(size, turn))),
  blank: fault('content', 'blank', 'sees one even grey', ({ size, turn }) => showing(blankPicture(size, turn))),
  placeholder: fault('content', 'placeholder', 'shows the card of its host, "camera unavailable"', ({ size, host }) => showing(placeholderPicture(size, host)), { atFirst: 'good' }), // prettier-ignore

  'wrong-type': fault('oddity', 'good', 'calls its pictures text/html', ({ current }) => showing(current(), { headers: { 'Content-Type': 'text/html' } })), // prettier-ignore
  'no-length': fault('oddity', 'good', 'sends no Content-Length', ({ current }) => showing(current(), { withoutLength: true })), // prettier-ignore
  'odd-boundary': fault('oddity', 'good', 'announces another boundary than it uses', ({ current }) => showing(current(), { withoutLength: true, boundaries: { announced: '"--a b"', used: '----=_Part(17)' } }), { only: 'mjpeg' }), // prettier-ignore
  'missing-boundary': fault('oddity', 'good', 'sends one JPEG after the other', ({ current }) => showing(current(), { boundaries: { announced: null, used: null } }), { only: 'mjpeg' }), // prettier-ignore
  'resolution-change': fault('oddity', 'good', 'changes the size of its pictures every time', ({ current, turn }) => showing(turn % 2 ? halved(current()) : current())), // prettier-ignore
  'stale-last-modified': fault('oddity', 'good', 'says that its picture is from 2018 and confirms that to whoever asks', ({ current }) => showing(current(), { headers: { 'Last-Modified': STALE }, confirmsDates: true }), { only: 'snapshot' }), // prettier-ignore
  'clock-jump': fault('oddity', 'good', 'has a clock that jumps by an hour to 40 years', ({ current, turn, now }) => showing(current(), { headers: datesAt(now + (JUMPS[turn % JUMPS.length] as number)) })), // prettier-ignore
} satisfies Record<string, Fault>;

/** Loopback is not among them: where a farm is asked it is allowed. */
const INSIDE = [
  'http://192.168.1.108/cgi-bin/snapshot.cgi',
  'http://169.254.169.254/latest/meta-data/',
  'http://0x0a000001/',
  'http://[::1]/image.jpg',
  'http://[::ffff:10.0.0.1]/image.jpg',
];
const STALE = httpDate(Date.UTC(2018, 10, 25, 19, 19));
const JUMPS = [0, HOUR_MS, -HOUR_MS, 12 * YEAR_MS, -40 * YEAR_MS];
const datesAt = (at: number): Record<string, string> => ({
  Date: httpDate(at),
  'Last-Modified': httpDate(at - 2_000),
  'X-Timestamp': (Math.max(0, at) / 1_000).toFixed(3),
});

export type FaultName = keyof typeof TABLE;
export const FAULTS: Readonly<Record<FaultName, Fault>> = TABLE;
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

export function isFault(name: unknown): name is FaultName {
  return typeof name === 'string' && Object.hasOwn(FAULTS, name);
}

/** Whether a camera of this kind can have the fault. */
export const fits = (name: FaultName, kind: 'snapshot' | 'mjpeg'): boolean => (FAULTS[name].only ?? kind) === kind;

/** A line for each fault: name, verdict, and what it does. */
export function faultList(): string {
  return FAULT_NAMES.map((name) => {
    const { verdict, atFirst, only, words } = FAULTS[name];
    const found = atFirst === undefined ? verdict : `${verdict} (at first ${atFirst})`;
    return `  ${name.padEnd(20)} ${found.padEnd(28)} ${words}${only ? ` (${only} only)` : ''}`;
  }).join('\n');
}

function firstPart({ bytes, type, since, version }: Picture, share: number): Picture {
  return pictureOf(bytes.subarray(0, Math.floor(bytes.length * share)), type, since, version);
}
