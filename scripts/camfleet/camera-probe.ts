import type { Command } from 'commander';
import { userAgentWith } from '../../agent/probe/contact.ts';
import { DnsCache } from '../../agent/sources/dns-cache.ts';
import { Decoders } from '../../agent/sources/ffmpeg/decoders.ts';
import { EgressRule } from '../../agent/sources/egress.ts';
import { HostLimiter } from '../../agent/sources/host-limiter.ts';
import { HttpClient } from '../../agent/sources/http.ts';
import type { Credentials } from '../../agent/sources/target.ts';
import { loginOf } from '../../agent/sources/target.ts';
import { VERDICTS } from '../../common/domain/verdict.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { AppError, EXIT } from '../../common/runtime/errors.ts';
import { BRANDS } from '../../config/brands.ts';
import { loadAgentConfig } from '../../config/load.ts';
import type { AgentConfig } from '../../config/load.ts';
import type { ConnectionOptions } from './api.ts';
import { probe } from './probe/probe.ts';
import type { ProbeRequest } from './probe/probe.ts';
import { probeWords } from './probe/report.ts';
import type { ProbeReport } from './probe/report.ts';
import { apiOf, print, speaksApi, verb, wholeNumber, words } from './verb.ts';
import type { Context, Printing } from './verb.ts';

interface ProbeOptions {
  user?: string;
  password?: string;
  allow?: string[];
  seconds: number;
}

type Options = ConnectionOptions & Printing & ProbeOptions;

/** `cameras probe`: asked by this machine, with an agent's own sources and the egress rule of this machine's agent. */
export function addProbe(cameras: Command, context: Context): void {
  const command = verb(
    cameras,
    'probe <camera>',
    'Fetch from an address, or from a camera by its id, and say what is there or why not',
    [
      'cameras probe https://example.org/cam1.jpg',
      'cameras probe http://192.0.2.7/axis-cgi/jpg/image.cgi --user viewer --password secret',
      'cameras probe 17 --json',
    ],
  )
    .option('--user <name>', 'for its sign-in; credentials that are stored do not leave the coordinator')
    .option('--password <password>', 'for its sign-in')
    .option('--allow <ranges>', 'private address ranges that may be contacted, besides those of egress.allow', words)
    .option('--seconds <n>', 'how long to watch for changes', wholeNumber(0, 60), 5);
  speaksApi(command).action(async (camera: string, options: Options) => {
    const { config } = loadAgentConfig({ environment: context.environment });
    const request = { ...(await targetOf(camera, options, context)), watchMs: options.seconds * 1_000 };
    const report = await probeOnce(request, config, options.allow ?? []);
    print(context, options, report, () => probeWords(report));
    if (!VERDICTS[report.verdict].yieldsFrame)
      throw new AppError('PROBE_WITHOUT_PICTURE', 'No picture came.', { details: { exit: EXIT.failed } });
  });
}

async function probeOnce(request: ProbeRequest, config: AgentConfig, allow: readonly string[]): Promise<ProbeReport> {
  const clock = systemClock;
  // Names are resolved as agents do it.
  const dns = new DnsCache({ clock });
  const egress = new EgressRule({ allow: [...config.egress.allow, ...allow], lookup: dns.lookup });
  const limiter = new HostLimiter({ clock, concurrency: 1, minDelayMs: 0 });
  const userAgent = userAgentWith(config.egress.userAgent, config.egress.contact);
  const { maxBytes, timeoutMs } = config.http;
  const http = new HttpClient({ egress, limiter, clock, userAgent, maxBytes, deadlineMs: timeoutMs });
  const decoders = new Decoders({ clock, configured: config.streams.ffmpeg ?? undefined, maxBytes });
  try {
    const sources = { http, clock, fileRoots: config.files.roots, streams: { egress, limiter, decoders, userAgent } };
    return await probe(request, { sources, brands: BRANDS, maxPixels: config.pixels.max });
  } finally {
    await decoders.close();
    await http.close();
    dns.close();
  }
}

/** The address apart from its credentials; those of the command line win over those of the URL. */
async function targetOf(camera: string, options: Options, context: Context): Promise<Omit<ProbeRequest, 'watchMs'>> {
  const url = /^\d+$/.test(camera) ? await addressOf(Number(camera), options, context) : camera;
  if (!URL.canParse(url) || !/^(https?|rtsps?|rtmps?):$/.test(new URL(url).protocol)) {
    throw new AppError('USAGE', 'Give a camera\'s id, or an http, https, rtsp or rtmp address.', { details: { exit: EXIT.usage } }); // prettier-ignore
  }
  const parsed = new URL(url);
  const { user, password } = options;
  const given: Credentials | undefined =
    (user ?? password) === undefined ? loginOf(parsed) : { user: user ?? '', password: password ?? '' };
  parsed.username = parsed.password = '';
  return { url: parsed.href, ...(given && { credentials: given }) };
}

interface Stored {
  kind: string;
  scheme: string | null;
  host: string;
  port: number | null;
  snapshotPath: string | null;
  videoPath: string | null;
  snapshotUrl: string | null;
  streamUrl: string | null;
}

async function addressOf(id: number, options: Options, context: Context): Promise<string> {
  const stored = await (await apiOf(options, context)).get<Stored>(`/cameras/${id}`);
  if (stored.kind !== 'ip') return stored.streamUrl ?? stored.snapshotUrl ?? '';
  const host = stored.host.includes(':') ? `[${stored.host}]` : stored.host;
  const port = stored.port === null ? '' : `:${stored.port}`;
  return `${stored.scheme ?? 'http'}://${host}${port}${stored.snapshotPath ?? stored.videoPath ?? '/'}`;
}
