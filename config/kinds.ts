import { isIP } from 'node:net';
import convict from 'convict';

/** A kind of value: how text becomes one, what is allowed, and that in words. */
export interface Kind<T> {
  /** Continues "must be …"; also the kind's name in convict. */
  allowed: string;
  accepts(value: unknown): value is T;
  /** From an environment variable or a flag; returns the text itself where it is none, for the error to show. */
  fromText(text: string): unknown;
}

const registered = new Set<string>();

/** Convict's own kinds are lenient ("12abc" is the integer 12, "no" is true), so ours are registered in their place. */
function kind<T>(definition: Kind<T>): Kind<T> {
  if (!registered.has(definition.allowed)) {
    registered.add(definition.allowed);
    convict.addFormat({
      name: definition.allowed,
      validate: (value: unknown) => {
        if (!definition.accepts(value)) throw new Error(`must be ${definition.allowed}`);
      },
      coerce: (value: unknown) => (typeof value === 'string' ? definition.fromText(value) : value),
    });
  }
  return definition;
}

const asNumber = (text: string): unknown => (/^-?\d+(\.\d+)?(e\d+)?$/i.test(text.trim()) ? Number(text) : text);

export const integer = (min: number, max: number): Kind<number> =>
  kind({
    allowed: `a whole number from ${min} to ${max}`,
    accepts: (value): value is number => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
    fromText: asNumber,
  });

export const decimal = (min: number, max: number): Kind<number> =>
  kind({
    allowed: `a number from ${min} to ${max}`,
    accepts: (value): value is number => typeof value === 'number' && value >= min && value <= max,
    fromText: asNumber,
  });

export const yesOrNo: Kind<boolean> = kind({
  allowed: 'true or false',
  accepts: (value) => typeof value === 'boolean',
  fromText: (text) => (text === 'true' ? true : text === 'false' ? false : text),
});

export const oneOf = <const T extends string>(...options: T[]): Kind<T> =>
  kind<T>({
    allowed: `one of ${options.join(', ')}`,
    accepts: (value): value is T => options.includes(value as T),
    fromText: (text) => text,
  });

export const text = (allowed: string, pattern: RegExp): Kind<string> =>
  kind({
    allowed,
    accepts: (value): value is string => typeof value === 'string' && pattern.test(value),
    fromText: (value) => value,
  });

export const folder = text('the path of a folder', /\S/);

export const url = (...schemes: string[]): Kind<string> =>
  kind({
    allowed: `a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
    accepts: (value): value is string =>
      typeof value === 'string' && URL.canParse(value) && schemes.includes(new URL(value).protocol.slice(0, -1)),
    fromText: (value) => value,
  });

/** Where nothing given means something: `null` in a file, empty text in the environment or a flag. */
export const optional = <T>(inner: Kind<T>): Kind<T | null> =>
  kind<T | null>({
    allowed: `${inner.allowed}, or nothing`,
    accepts: (value): value is T | null => value === null || inner.accepts(value),
    fromText: (value) => (value === '' ? null : inner.fromText(value)),
  });

/** A list in a file, separated by commas elsewhere. */
export const listOf = <T>(inner: Kind<T>, what: string): Kind<T[]> =>
  kind<T[]>({
    allowed: `a list of ${what}`,
    accepts: (value): value is T[] => Array.isArray(value) && value.every((item) => inner.accepts(item)),
    fromText: (value) => (value.trim() === '' ? [] : value.split(',').map((item) => inner.fromText(item.trim()))),
  });

export const addressRange: Kind<string> = kind({
  allowed: 'an address range like 10.0.0.0/8 or fd00::/8',
  accepts: (value): value is string => {
    if (typeof value !== 'string') return false;
    const [address = '', prefix = '', ...rest] = value.split('/');
    const family = isIP(address);
    return family > 0 && rest.length === 0 && /^\d+$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
  },
  fromText: (value) => value,
});
