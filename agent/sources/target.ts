import { AppError } from '../../common/runtime/errors.ts';
import { HttpAuth } from './http-auth.ts';

export interface Credentials {
  user: string;
  password: string;
}

/** A URL, taken apart once instead of for every request. */
export interface Target {
  /** Scheme, host and port. */
  origin: string;
  /** Path and query. */
  path: string;
  /** Name or address without port: politeness goes by it. */
  host: string;
  /** Signs in to this origin and no other. */
  auth?: HttpAuth;
}

/** Credentials inside the URL are honoured too, and never reach the target's other fields. */
export function parseTarget(url: string, credentials?: Credentials, base?: string): Target {
  const parsed = URL.canParse(url, base) ? new URL(url, base) : undefined;
  if (!parsed || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) {
    throw new AppError('SOURCE_URL_INVALID', 'The camera URL must be an absolute http:// or https:// URL; correct it.');
  }
  const login = credentials ?? loginOf(parsed);
  const target: Target = {
    origin: parsed.origin,
    path: parsed.pathname + parsed.search,
    host: parsed.hostname,
  };
  if (login) target.auth = new HttpAuth(login);
  return target;
}

export function loginOf(url: URL): Credentials | undefined {
  if (url.username === '' && url.password === '') return undefined;
  return { user: decode(url.username), password: decode(url.password) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a bare % in a password
  }
}
