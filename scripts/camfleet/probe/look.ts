import { AppError } from '../../../common/runtime/errors.ts';
import { header, valuesOf } from '../../../agent/sources/exchange.ts';
import { challengesIn } from '../../../agent/sources/http-auth.ts';
import type { HttpClient } from '../../../agent/sources/http.ts';
import type { Transport } from '../../../agent/sources/source.ts';
import { parseTarget } from '../../../agent/sources/target.ts';

/** What the head of an HTTP answer says, to somebody without credentials. */
export interface Look {
  status: number;
  contentType: string | undefined;
  server: string | undefined;
  realm: string | undefined;
}

/** Asks once and leaves when the head of the answer is there, whatever follows. Throws the `SOURCE_…` codes. */
export async function look(http: HttpClient, url: string): Promise<Look> {
  let seen: Look | undefined;
  const enough = new AppError('PROBE_ENOUGH', 'The head is there.');
  const asking = http.stream({ target: parseTarget(url) }, () => ({
    onHeaders: (status, raw) => {
      const realm = valuesOf(raw, 'www-authenticate').flatMap(challengesIn)[0]?.parameters.get('realm');
      seen = { status, contentType: header(raw, 'content-type'), server: header(raw, 'server'), realm };
      throw enough;
    },
    onData: () => undefined,
  }));
  await asking.catch((error: unknown) => {
    if (!seen) throw error;
  });
  if (!seen) throw new AppError('SOURCE_EMPTY', 'The camera ended the connection without an answer.');
  return seen;
}

/** How to fetch it, by the address alone; `undefined` for what only an HTTP answer can tell. */
export function transportByAddress(url: string): Transport | undefined {
  if (/^rtsps?:/i.test(url)) return 'rtsp';
  if (/^rtmps?:/i.test(url)) return 'rtmp';
  return /\.m3u8?(\?|#|$)/i.test(url) ? 'hls' : undefined;
}

/** How to fetch what has this Content-Type. Where it says nothing (a 401) the path has to. */
export function transportByLook({ status, contentType = '' }: Look, url: string): Transport {
  if (/multipart\/|x-motion-jpeg|video\/x-mjpeg/i.test(contentType)) return 'mjpeg';
  if (/mpegurl/i.test(contentType)) return 'hls';
  const isUnknown = status >= 300;
  return isUnknown && /mjpe?g|video\.cgi|videostream|faststream|httpPreview/i.test(url) ? 'mjpeg' : 'snapshot';
}
