import type { Command } from 'commander';
import { userAgentWith } from '../../agent/probe/contact.ts';
import { DnsCache } from '../../agent/sources/dns-cache.ts';
import { Decoders } from '../../agent/sources/ffmpeg/decoders.ts';
import { EgressRule } from '../../agent/sources/egress.ts';
import { HostLimiter } from '../../agent/sources/host-limiter.ts';
import { HostRests } from '../../agent/sources/host-rests.ts';
import { HttpClient } from '../../agent/sources/http.ts';
import { Manners } from '../../agent/sources/manners.ts';
import type { Credentials } from '../../agent/sources/target.ts';
import { loginOf } from '../../agent/sources/target.ts';
import { TakedownList } from '../../common/domain/takedown.ts';
import type { Takedown } from '../../common/domain/takedown.ts';
import { VERDICTS } from '../../common/domain/verdict.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { AppError, EXIT, messageOf } from '../../common/runtime/errors.ts';
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
    const takedowns = await takedownsOf(options, context);
    refuseTakenDown(request.url, takedowns);
    const report = await probeOnce(request, config, { allow: options.allow ?? [], takedowns });
    print(context, options, report, () => probeWords(report));
    if (!VERDICTS[report.verdict].yieldsFrame)
      throw new AppError('PROBE_WITHOUT_PICTURE', 'No picture came.', { details: { exit: EXIT.failed } });
  });
}

/**
 * What the coordinator says must not be fetched. An address may be tried where there is no coordinator yet; one that was named and
 * does not answer is worth a warning.
 */
async function takedownsOf(options: Options, context: Context): Promise<TakedownList> {
  try {
    const { takedowns } = await (await apiOf(options, context)).get<{ takedowns: Takedown[] }>('/takedowns');
    return new TakedownList(takedowns);
  } catch (error) {
    const { CAMFLEET_URL, CAMFLEET_TOKEN, CAMFLEET_DATA_FOLDER } = context.environment;
    const named = [options.url, options.token, options.data, CAMFLEET_URL, CAMFLEET_TOKEN, CAMFLEET_DATA_FOLDER];
    if (named.every((name) => name === undefined)) return new TakedownList();
    context.terminal.err(`The list of take-downs is not known here, so it is not kept: ${messageOf(error)}\n`);
    return new TakedownList();
  }
}

function refuseTakenDown(url: string, takedowns: TakedownList): void {
  const takedown = takedowns.against(url);
  if (!takedown) return;
  const { value, reason } = takedown;
  throw new AppError(
    'TAKEN_DOWN',
    `${value} is on the list of take-downs${reason === '' ? '' : ` (${reason})`}, and nothing was fetched; "camfleet takedown remove ${value}" takes it off.`,
    { details: { exit: EXIT.refused } },
  );
}

interface Limits {
  allow: readonly string[];
  takedowns: TakedownList;
}

async function probeOnce(
  request: ProbeRequest,
  config: AgentConfig,
  { allow, takedowns }: Limits,
): Promise<ProbeReport> {
  const clock = systemClock;
  // Names are resolved as agents do it.
  const dns = new DnsCache({ clock });
  // Redirects and playlists are held to the list, too.
  const manners = new Manners({ rests: new HostRests({ clock }), clock });
  manners.takedowns = takedowns;
  const reasonAgainstHost = (host: string): string | undefined => manners.reasonAgainstHost(host);
  const egress = new EgressRule({ allow: [...config.egress.allow, ...allow], lookup: dns.lookup, reasonAgainstHost });
  const limiter = new HostLimiter({ clock, concurrency: 1, minDelayMs: 0 });
  const userAgent = userAgentWith(config.egress.userAgent, config.egress.contact);
  const { maxBytes, timeoutMs } = config.http;
  const http = new HttpClient({ egress, limiter, manners, clock, userAgent, maxBytes, deadlineMs: timeoutMs });
  const decoders = new Decoders({ clock, configured: config.streams.ffmpeg ?? undefined, maxBytes });
  try {
    const sources = {
      http,
      clock,
      fileRoots: config.files.roots,
      streams: { egress, limiter, manners, decoders, userAgent },
    };
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
