import { createHash, randomBytes } from 'node:crypto';
import type { Credentials } from './target.ts';

interface Challenge {
  scheme: 'basic' | 'digest';
  parameters: ReadonlyMap<string, string>;
}

const ALGORITHMS: Record<string, { hash: string; session: boolean }> = {
  md5: { hash: 'md5', session: false },
  'md5-sess': { hash: 'md5', session: true },
  'sha-256': { hash: 'sha256', session: false },
  'sha-256-sess': { hash: 'sha256', session: true },
};

/** Answers a camera's challenge with the operator's credentials; Digest before Basic, because it does not show the password. */
export class RtspAuth {
  readonly #login: Credentials;
  #challenge: Challenge | undefined;
  #count = 0;

  constructor(login: Credentials) {
    this.#login = login;
  }

  /** Whether these `WWW-Authenticate` values can be answered. A second challenge with another nonce replaces the first. */
  accept(values: readonly string[]): boolean {
    const challenges = values.flatMap(challengeIn);
    const digest = challenges.find(({ scheme, parameters }) => scheme === 'digest' && algorithmOf(parameters));
    this.#challenge = digest ?? challenges.find(({ scheme }) => scheme === 'basic');
    this.#count = 0;
    return this.#challenge !== undefined;
  }

  /** The value of `Authorization`; `undefined` before the camera has asked. */
  authorization(method: string, uri: string): string | undefined {
    if (!this.#challenge) return undefined;
    const { user, password } = this.#login;
    if (this.#challenge.scheme === 'basic') return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    return this.#digest(this.#challenge.parameters, method, uri);
  }

  #digest(given: ReadonlyMap<string, string>, method: string, uri: string): string {
    const { user, password } = this.#login;
    const { hash, session } = algorithmOf(given)!;
    const h = (text: string): string => createHash(hash).update(text).digest('hex');
    const realm = given.get('realm') ?? '';
    const nonce = given.get('nonce') ?? '';
    const withQop = (given.get('qop') ?? '').split(',').some((each) => each.trim() === 'auth');
    const count = (++this.#count).toString(16).padStart(8, '0');
    const own = randomBytes(8).toString('hex');
    const plain = h(`${user}:${realm}:${password}`);
    const secret = session ? h(`${plain}:${nonce}:${own}`) : plain;
    const request = h(`${method}:${uri}`);
    const response = h(
      withQop ? `${secret}:${nonce}:${count}:${own}:auth:${request}` : `${secret}:${nonce}:${request}`,
    );
    const words = [`username="${quoted(user)}"`, `realm="${quoted(realm)}"`, `nonce="${quoted(nonce)}"`];
    words.push(`uri="${uri}"`, `response="${response}"`);
    if (given.has('opaque')) words.push(`opaque="${quoted(given.get('opaque')!)}"`);
    if (given.has('algorithm')) words.push(`algorithm=${given.get('algorithm')}`);
    if (withQop) words.push('qop=auth', `nc=${count}`);
    if (withQop || session) words.push(`cnonce="${own}"`);
    return `Digest ${words.join(', ')}`;
  }
}

const quoted = (text: string): string => text.replace(/["\\]/g, '\\$&');

const algorithmOf = (parameters: ReadonlyMap<string, string>): (typeof ALGORITHMS)[string] | undefined =>
  ALGORITHMS[(parameters.get('algorithm') ?? 'md5').toLowerCase()];

function challengeIn(value: string): Challenge[] {
  const scheme = /^\s*(basic|digest)\b/i.exec(value)?.[1]?.toLowerCase();
  if (scheme !== 'basic' && scheme !== 'digest') return [];
  const parameters = new Map<string, string>();
  for (const [, name, text, word] of value.matchAll(/([a-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/gi))
    parameters.set(name!.toLowerCase(), text?.replace(/\\(.)/g, '$1') ?? word ?? '');
  return [{ scheme, parameters }];
}
