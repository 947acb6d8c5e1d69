import type { CameraMemory, Fragment } from '../../common/domain/fragment.ts';

/** A fragment whose memory is still the text that came: nobody here looks inside, and most of a batch is memories. */
export type Reported = Omit<Fragment, 'memory'> & { memory: CameraMemory | string };

/** More is not written so by any agent; it would be blanks. */
const MOST_TEXT = 16_384;
const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
const SPACE = 0x20;

/** Replaces the memories of these fragments, parsed from `text` and found in order, by their text; others stay as they are. */
export function keepMemoriesAsText(text: string, fragments: readonly Reported[]): void {
  const texts = memoryTexts(text);
  if (texts?.length !== fragments.length) return;
  for (const [index, fragment] of fragments.entries()) {
    const memory = texts[index] as string;
    if (memory.length <= MOST_TEXT) fragment.memory = memory;
  }
}

/**
 * The texts of `fragments[…].memory` in a batch that `JSON.parse` has accepted. `undefined` where one of these keys
 * is escaped or comes twice: then it is not plain to see what was parsed.
 */
export function memoryTexts(text: string): string[] | undefined {
  const found: string[] = [];
  const batch = membersOf(text, blanks(text, 0), 'fragments');
  if (!batch || batch.from < 0) return undefined;
  let at = blanks(text, batch.from + 1);
  while (text.charCodeAt(at) === OPEN_OBJECT) {
    const fragment = membersOf(text, at, 'memory');
    if (!fragment || fragment.from < 0) return undefined;
    found.push(text.slice(fragment.from, fragment.to));
    at = blanks(text, fragment.end);
    if (text.charCodeAt(at) === COMMA) at = blanks(text, at + 1);
  }
  return text.charCodeAt(at) === CLOSE_LIST ? found : undefined;
}

/** Where in the object that begins at `at` the named member's value lies (`from` is -1 where there is none), and its end. */
function membersOf(text: string, at: number, name: string): { from: number; to: number; end: number } | undefined {
  const place = { from: -1, to: -1, end: -1 };
  let next = blanks(text, at + 1);
  while (text.charCodeAt(next) === QUOTE) {
    const keyEnd = stringEnd(text, next);
    const isIt = keyEnd - next === name.length + 2 && text.startsWith(name, next + 1);
    if (!isIt && isEscaped(text, next, keyEnd) && JSON.parse(text.slice(next, keyEnd)) === name) return undefined;
    const colon = blanks(text, keyEnd);
    if (text.charCodeAt(colon) !== COLON) return undefined;
    const from = blanks(text, colon + 1);
    const to = valueEnd(text, from);
    if (isIt && place.from >= 0) return undefined;
    if (isIt) [place.from, place.to] = [from, to];
    next = blanks(text, to);
    if (text.charCodeAt(next) === COMMA) next = blanks(text, next + 1);
  }
  if (text.charCodeAt(next) !== CLOSE_OBJECT) return undefined;
  place.end = next + 1;
  return place;
}

function isEscaped(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (text.charCodeAt(at) === BACKSLASH) return true;
  return false;
}

function blanks(text: string, at: number): number {
  let next = at;
  while (text.charCodeAt(next) <= SPACE) next++;
  return next;
}

/** Just after the string that begins at `at`. */
function stringEnd(text: string, at: number): number {
  for (let quote = text.indexOf('"', at + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let slashes = 0;
    while (text.charCodeAt(quote - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return quote + 1;
  }
  return text.length;
}

/** Just after the value that begins at `at`. */
function valueEnd(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first === QUOTE) return stringEnd(text, at);
  let next = at;
  if (first !== OPEN_OBJECT && first !== OPEN_LIST) {
    for (let code = first; code > SPACE && code !== COMMA && code !== CLOSE_OBJECT && code !== CLOSE_LIST;) {
      code = text.charCodeAt(++next);
    }
    return next;
  }
  for (let depth = 0; next < text.length;) {
    const code = text.charCodeAt(next);
    if (code === QUOTE) {
      next = stringEnd(text, next);
      continue;
    }
    next++;
    if (code === OPEN_OBJECT || code === OPEN_LIST) depth++;
    else if ((code === CLOSE_OBJECT || code === CLOSE_LIST) && --depth === 0) return next;
  }
  return next;
}
