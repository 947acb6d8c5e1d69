import { createHash, randomBytes } from 'node:crypto';
import type { Credentials } from '../../common/domain/camera.ts';

/** One offer of a `WWW-Authenticate` header. */
export interface Challenge {
  /** Lower case; only `basic` and `digest` can be answered. */
  scheme: string;
  /** Lower-case names. */
  parameters: ReadonlyMap<string, string>;
}

/** What went out with a request, to be judged by its answer. */
export interface Sent {
  value: string;
  scheme: string;
  nonce: string | undefined;
  /** How many requests had been answered with this nonce before. */
  uses: number;
}

/** Strongest first. */
const ALGORITHMS: readonly { name: string; hash: string; session: boolean }[] = [
  { name: 'sha-256-sess', hash: 'sha256', session: true },
  { name: 'sha-256', hash: 'sha256', session: false },
  { name: 'md5-sess', hash: 'md5', session: true },
  { name: 'md5', hash: 'md5', session: false },
];

/**
 * Signs in to a camera with the credentials that the operator gave, by HTTP Digest (RFC 7616, and RFC 2069 for old cameras) or
 * Basic. Nothing is sent before the camera asks; afterwards its offer is remembered, so that the next requests need no second
 * round. States: no offer known; an offer known, with the number of its uses.
 */
export class HttpAuth {
  readonly #login: Credentials;
  #offer: Challenge | undefined;
  #uses = 0;

  constructor(login: Credentials) {
    this.#login = login;
  }

  /** What to send with the next request; `undefined` before the camera has asked. */
  authorize(method: string, path: string): Sent | undefined {
    const offer = this.#offer;
    if (!offer) return undefined;
    const uses = this.#uses++;
    const nonce = offer.parameters.get('nonce');
    const value = offer.scheme === 'basic' ? basic(this.#login) : digest(this.#login, offer, { method, path, uses });
    return { value, scheme: offer.scheme, nonce, uses };
  }

  /**
   * Takes a 401 to a request that carried `sent`. `true`: ask again, with what `authorize` gives now. `false`: nothing that we
   * have would be accepted; the offer is forgotten, so that the next attempt begins anew.
   */
  challenged(headers: readonly string[], sent: Sent | undefined): boolean {
    const offer = strongest(headers.flatMap(challengesIn));
    const again = offer !== undefined && (sent === undefined || deservesAnother(offer, sent));
    this.#offer = again ? offer : undefined;
    this.#uses = 0;
    return again;
  }
}

/** Credentials that were refused once are not tried a second time; a nonce that grew old is no refusal. */
function deservesAnother(offer: Challenge, sent: Sent): boolean {
  if (offer.scheme !== sent.scheme) return sent.uses > 0;
  if (offer.scheme === 'basic') return false;
  const isStale = offer.parameters.get('stale')?.toLowerCase() === 'true';
  return offer.parameters.get('nonce') !== sent.nonce && (isStale || sent.uses > 0);
}

/** Digest before Basic, because it does not show the password. */
function strongest(offers: readonly Challenge[]): Challenge | undefined {
  for (const algorithm of ALGORITHMS) {
    const found = offers.find(
      (offer) => offer.scheme === 'digest' && algorithmOf(offer) === algorithm && hasUsableQop(offer),
    );
    if (found) return found;
  }
  return offers.find(({ scheme }) => scheme === 'basic');
}

const algorithmOf = ({ parameters }: Challenge): (typeof ALGORITHMS)[number] | undefined =>
  ALGORITHMS.find(({ name }) => name === (parameters.get('algorithm') ?? 'md5').toLowerCase());

const qopsOf = ({ parameters }: Challenge): string[] =>
  (parameters.get('qop') ?? '')
    .split(',')
    .map((qop) => qop.trim().toLowerCase())
    .filter(Boolean);

/** None is RFC 2069; `auth-int` alone is not supported. */
const hasUsableQop = (offer: Challenge): boolean => {
  const qops = qopsOf(offer);
  return qops.length === 0 || qops.includes('auth');
};

const basic = ({ user, password }: Credentials): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

function digest(
  { user, password }: Credentials,
  offer: Challenge,
  { method, path, uses }: { method: string; path: string; uses: number },
): string {
  const algorithm = algorithmOf(offer)!;
  const given = (name: string): string => offer.parameters.get(name) ?? '';
  const hash = (...parts: string[]): string => createHash(algorithm.hash).update(parts.join(':')).digest('hex');
  const withQop = qopsOf(offer).length > 0;
  const count = (uses + 1).toString(16).padStart(8, '0');
  // A session's secret rests on the first client nonce: one for each request would need to be remembered.
  const own = algorithm.session ? sessionNonce(given('nonce')) : randomBytes(8).toString('hex');
  const plain = hash(user, given('realm'), password);
  const secret = algorithm.session ? hash(plain, given('nonce'), own) : plain;
  const request = hash(method, path);
  const response = withQop
    ? hash(secret, given('nonce'), count, own, 'auth', request)
    : hash(secret, given('nonce'), request);
  const words = [`username=${quoted(user)}`, `realm=${quoted(given('realm'))}`, `nonce=${quoted(given('nonce'))}`];
  words.push(`uri=${quoted(path)}`, `response="${response}"`);
  if (offer.parameters.has('algorithm')) words.push(`algorithm=${given('algorithm')}`);
  if (offer.parameters.has('opaque')) words.push(`opaque=${quoted(given('opaque'))}`);
  if (withQop) words.push('qop=auth', `nc=${count}`);
  if (withQop || algorithm.session) words.push(`cnonce="${own}"`);
  return `Digest ${words.join(', ')}`;
}

const SESSION_KEY = randomBytes(16).toString('hex');
const sessionNonce = (nonce: string): string =>
  createHash('sha256').update(`${SESSION_KEY}:${nonce}`).digest('hex').slice(0, 16);

/** Header values go out as bytes: UTF-8, as RFC 7616 has it, in the clothes of Latin-1. */
const quoted = (text: string): string => `"${Buffer.from(text).toString('latin1').replace(/["\\]/g, '\\$&')}"`;

const SCHEMES = new Set(['basic', 'digest', 'bearer', 'negotiate', 'ntlm']);

/** The offers of one header value: several may stand in one, and cameras quote as they like. */
export function challengesIn(value: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const tokens = value.slice(0, 4_000).matchAll(/([A-Za-z][\w-]*)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/g);
  for (const { 0: whole, 1: name = '', 2: text, 3: word } of tokens) {
    if (whole === name && SCHEMES.has(name.toLowerCase()))
      challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
    else if (whole !== name)
      challenges.at(-1)?.parameters.set(name.toLowerCase(), text?.replace(/\\(.)/g, '$1') ?? word ?? '');
  }
  return challenges;
}
