/** What one attempt to get a picture from a camera came to. */
export interface VerdictEntry {
  /** A picture arrived and can be shown. */
  readonly yieldsFrame: boolean;
  /** Counts for the camera's health; `false` says that somebody may have to look after it. */
  readonly healthy: boolean;
  /** The reason in plain words, for people. */
  readonly words: string;
}

const frame = (healthy: boolean, words: string): VerdictEntry => ({ yieldsFrame: true, healthy, words });
const noFrame = (words: string): VerdictEntry => ({ yieldsFrame: false, healthy: false, words });

/**
 * Every attempt ends in exactly one of these. The order is that of the lists people see: good first, then pictures that show
 * nothing useful, then bytes that are no picture, then attempts that brought nothing.
 */
export const VERDICTS = {
  good: frame(true, 'a picture that shows something'),
  /** Inherits whatever was decided about the good picture that it repeats. */
  duplicate: frame(true, 'the same picture as before'),
  frozen: frame(false, 'the same picture for much longer than this camera used to keep one'),
  low_byte_size: frame(false, 'far fewer bytes than this camera usually delivers'),
  black: frame(false, 'nearly no light and nothing to see'),
  blank: frame(false, 'one uniform colour'),
  placeholder: frame(false, 'a card that says the camera is unavailable'),
  corrupt: noFrame('a damaged or cut-off picture'),
  oversized: noFrame('a picture with more pixels than allowed'),
  not_an_image: noFrame('something else than a picture, for example a web page'),
  empty: noFrame('an answer without content'),
  timeout: noFrame('no complete answer in time'),
  refused: noFrame('the host refused the connection or cannot be reached'),
  interrupted: noFrame('the connection broke before the picture was complete'),
  dns: noFrame('the name of the host is not known'),
  tls: noFrame('the certificate or the encrypted connection was not acceptable'),
  unauthorized: noFrame('the camera asks for other credentials'),
  http_error: noFrame('the host answered with an error'),
  too_large: noFrame('more bytes than allowed'),
  blocked: noFrame('an address that this agent may not contact'),
  protocol_error: noFrame('an answer that does not follow the protocol'),
  no_frame: noFrame('the stream or folder ended without a picture'),
  failed: noFrame('the agent could not carry out the attempt'),
} as const satisfies Record<string, VerdictEntry>;

export type Verdict = keyof typeof VERDICTS;

export const verdictOrder = Object.keys(VERDICTS) as readonly Verdict[];

/** The measured facts that led to a verdict, e.g. `{ mean: 3.1, stdev: 0.4 }` or `{ httpStatus: 404 }`. Never credentials. */
export type Evidence = Record<string, number | string | boolean>;

export interface Judgement {
  verdict: Verdict;
  evidence: Evidence;
}
