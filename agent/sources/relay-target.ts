import { AppError } from '../../common/runtime/errors.ts';
import { loginOf } from './target.ts';
import type { Credentials } from './target.ts';

export interface RelayTarget {
  scheme: 'rtsp' | 'rtmp';
  /** Name or address without brackets, in the one spelling that URLs have for it. */
  host: string;
  port: number;
  /** The whole URL, without credentials. */
  url: string;
  /** Path and query, with the slash in front. */
  path: string;
  login: Credentials | undefined;
}

const USUAL_PORT = { rtsp: 554, rtmp: 1935 };

/** Throws `SOURCE_URL_INVALID` unless it is an absolute URL of this scheme. */
export function parseRelayTarget(url: string, scheme: 'rtsp' | 'rtmp', credentials?: Credentials): RelayTarget {
  // Only for schemes that the URL standard knows are hosts brought into one spelling (octal, hexadecimal, percent signs).
  const asHttp = url.replace(/^[a-z]+:/i, 'http:');
  const parsed = URL.canParse(url) && URL.canParse(asHttp) ? new URL(url) : undefined;
  if (parsed?.protocol !== `${scheme}:` || parsed.hostname === '' || !/^[a-z]+:\/\//i.test(url))
    throw new AppError('SOURCE_URL_INVALID', `The camera URL must be an absolute ${scheme}:// URL; correct it.`);
  const { hostname } = new URL(asHttp);
  const port = parsed.port === '' ? USUAL_PORT[scheme] : Number(parsed.port);
  const shownPort = port === USUAL_PORT[scheme] ? '' : `:${port}`;
  const path = (parsed.pathname || '/') + parsed.search;
  return {
    scheme,
    host: hostname.replace(/^\[|\]$/g, ''),
    port,
    url: `${scheme}://${hostname}${shownPort}${path}`,
    path,
    login: credentials ?? loginOf(parsed),
  };
}
