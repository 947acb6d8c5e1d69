import { DnsCache } from '../../../agent/sources/dns-cache.ts';
import { EgressRule } from '../../../agent/sources/egress.ts';
import { verdictOfSourceError } from '../../../agent/sources/errors.ts';
import { Decoders } from '../../../agent/sources/ffmpeg/decoders.ts';
import { HostLimiter } from '../../../agent/sources/host-limiter.ts';
import { HttpClient } from '../../../agent/sources/http.ts';
import { createSource, isPolled } from '../../../agent/sources/kinds.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { codeOf } from '../../../common/runtime/errors.ts';
import { runCommand } from '../../../scripts/camfleet/program.ts';

/** Where there is no ffmpeg a stream fails only after its connection was made, or refused. */
const NO_FFMPEG = '/nowhere/ffmpeg';

/** Ways to fetch a camera, with what comes of it at the witness where nothing is in the way. */
export const WAYS = {
  snapshot: { url: (host: string) => `http://${host}/picture.jpg`, result: 'frame' },
  // The witness hangs up on whoever wants encryption.
  'snapshot over TLS': { url: (host: string) => `https://${host}/picture.jpg`, result: 'SOURCE_REFUSED' },
  mjpeg: { url: (host: string) => `http://${host}/stream.mjpg`, result: 'frame' },
  hls: { url: (host: string) => `http://${host}/list.m3u8`, result: 'SOURCE_FFMPEG_MISSING' },
  rtsp: { url: (host: string) => `rtsp://${host}/live`, result: 'SOURCE_FFMPEG_MISSING' },
  rtmp: { url: (host: string) => `rtmp://${host}/live/x`, result: 'SOURCE_FFMPEG_MISSING' },
  probe: { url: (host: string) => `http://${host}/picture.jpg`, result: 'good' },
} as const;

export type Way = keyof typeof WAYS;
export const WAY_NAMES = Object.keys(WAYS) as Way[];

export interface Outcome {
  /** `frame`, the code of the error, or the verdict of a probe. */
  result: string;
  /** Of a refusal. */
  reason?: string;
}

export interface TestAgent {
  attempt(way: Way, url: string): Promise<Outcome>;
  close(): Promise<void>;
}

/** What a capture thread fetches with, and the command `cameras probe`, under one rule. */
export function agentThatAllows(
  allow: readonly string[],
  { clock, dnsServer }: { clock: Clock; dnsServer: string },
): TestAgent {
  const dns = new DnsCache({ clock, servers: [dnsServer] });
  const egress = new EgressRule({ allow, lookup: dns.lookup });
  const limiter = new HostLimiter({ clock, concurrency: 4, minDelayMs: 0 });
  const userAgent = 'camfleet-test (contact@example.org)';
  const http = new HttpClient({ egress, limiter, clock, userAgent, deadlineMs: 5_000 });
  const decoders = new Decoders({ clock, configured: NO_FFMPEG });
  const context = { http, clock, streams: { egress, limiter, decoders, userAgent } };

  async function fetchOnce(way: Exclude<Way, 'probe'>, url: string): Promise<Outcome> {
    const transport = way === 'snapshot over TLS' ? 'snapshot' : way;
    try {
      const source = createSource({ transport, url }, context);
      if (isPolled(source)) await source.fetchOnce({});
      else await firstOf(source.frames(new AbortController().signal));
      return { result: 'frame' };
    } catch (error) {
      const { evidence } = verdictOfSourceError(error);
      const result = codeOf(error) ?? String(error);
      return { result, ...(result === 'SOURCE_BLOCKED' && { reason: String(evidence['reason']) }) };
    }
  }

  return {
    attempt: (way, url) => (way === 'probe' ? probe(url, allow) : fetchOnce(way, url)),
    close: async () => {
      await decoders.close();
      await http.close();
      dns.close();
    },
  };
}

async function firstOf(frames: AsyncIterable<unknown>): Promise<void> {
  const iterator = frames[Symbol.asyncIterator]();
  await iterator.next();
  await iterator.return?.();
}

/** The command, as an operator gives it. */
async function probe(url: string, allow: readonly string[]): Promise<Outcome> {
  let out = '';
  let err = '';
  const terminal = {
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
    isInteractive: false,
    showsProgress: false,
  };
  const args = ['cameras', 'probe', url, '--seconds', '0', '--json', '--allow', allow.join(',')];
  await runCommand(args, { terminal, environment: {} }, '0.0.0');
  if (out === '') return { result: /id, or an http/.test(err) ? 'SOURCE_URL_INVALID' : err };
  const { verdict, evidence } = JSON.parse(out) as { verdict: string; evidence: Record<string, unknown> };
  if (verdict === 'blocked') return { result: 'SOURCE_BLOCKED', reason: String(evidence['reason']) };
  return { result: verdict === 'refused' ? 'SOURCE_REFUSED' : verdict };
}
