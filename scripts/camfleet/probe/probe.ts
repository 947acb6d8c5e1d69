import { Cleaner } from '../../../agent/clean/clean.ts';
import type { Cleaned } from '../../../agent/clean/clean.ts';
import { verdictOfSourceError } from '../../../agent/sources/errors.ts';
import { createSource, isPolled } from '../../../agent/sources/kinds.ts';
import type { Credentials, FrameSource, SourceContext, Transport } from '../../../agent/sources/source.ts';
import { guessBrand } from '../../../common/domain/brand.ts';
import type { Brand } from '../../../common/domain/brand.ts';
import type { CleanMemory, EncodedFrame } from '../../../common/domain/frame.ts';
import type { Judgement } from '../../../common/domain/verdict.ts';
import { redact } from '../../../common/runtime/redact.ts';
import { adviceFor } from './advice.ts';
import { look, transportByAddress, transportByLook } from './look.ts';
import type { Look } from './look.ts';
import type { ProbeReport, Refresh } from './report.ts';

export interface ProbeRequest {
  /** Without credentials. */
  url: string;
  credentials?: Credentials | undefined;
  /** For how long to look for changes, ms. */
  watchMs: number;
}

interface ProbeTools {
  sources: SourceContext;
  brands: readonly Brand[];
  maxPixels?: number;
}

/** Between two requests for a snapshot: as often as a stranger may ask. */
const PAUSE_MS = 1_000;

type Picture = Pick<ProbeReport, 'width' | 'height' | 'bytes' | 'contentType' | 'refresh' | 'conditional'>;
const NO_PICTURE: Picture = {
  width: null,
  height: null,
  bytes: null,
  contentType: null,
  refresh: null,
  conditional: null,
};

/** Asks a camera what it is and what it shows, politely: one look, one picture, and a few more to see how often it changes. */
export async function probe(request: ProbeRequest, tools: ProbeTools): Promise<ProbeReport> {
  const { url, credentials } = request;
  let transport = transportByAddress(url) ?? null;
  let seen: Look | undefined;
  let judgement: Judgement;
  let picture = NO_PICTURE;
  try {
    if (/^https?:/i.test(url)) seen = await look(tools.sources.http, url);
    transport ??= seen ? transportByLook(seen, url) : 'snapshot';
    ({ judgement, picture } = await watch(transport, request, tools));
  } catch (error) {
    judgement = verdictOfSourceError(error);
  }
  const { pathname = '', search = '' } = URL.canParse(url) ? new URL(url) : {};
  const guess = guessBrand(tools.brands, { server: seen?.server, realm: seen?.realm, path: pathname + search });
  const report = {
    ...{ url: redact(url), transport, ...judgement, ...picture },
    signIn: signInOf(seen, judgement, credentials !== undefined),
    server: seen?.server?.slice(0, 200) ?? null,
    realm: seen?.realm?.slice(0, 200) ?? null,
    brand: guess ? { name: guess.brand.name, by: guess.by } : null,
  };
  return { ...report, advice: adviceFor(report, tools.brands) };
}

function signInOf(seen: Look | undefined, { verdict }: Judgement, given: boolean): ProbeReport['signIn'] {
  if (seen?.status !== 401) return 'none';
  if (!given) return 'missing';
  return verdict === 'unauthorized' ? 'refused' : 'accepted';
}

interface Watched {
  judgement: Judgement;
  picture: Picture;
}

/** The first picture decides; those after it only tell how often there is a new one. */
async function watch(
  transport: Transport,
  request: ProbeRequest,
  { sources, maxPixels }: ProbeTools,
): Promise<Watched> {
  const { url, credentials, watchMs } = request;
  const source = createSource({ transport, url, credentials, minIntervalMs: 0 }, sources);
  const cleaner = new Cleaner(maxPixels === undefined ? {} : { maxPixels });
  const stop = new AbortController();
  const changedAt: number[] = [];
  let first: { cleaned: Cleaned; frame: EncodedFrame } | undefined;
  let memory: CleanMemory = {};
  let pictures = 0;
  let conditional = false;
  let startedAt = 0;
  try {
    for await (const frame of framesOf(source, () => memory, sources, stop.signal)) {
      const cleaned = await cleaner.clean(frame, memory);
      ({ memory } = cleaned);
      pictures++;
      conditional ||= frame.notModified;
      first ??= { cleaned, frame };
      if (pictures === 1) startedAt = sources.clock.monotonic();
      else if (!frame.notModified && cleaned.evidence['repeats'] === undefined) changedAt.push(frame.fetchedAt);
      if (sources.clock.monotonic() - startedAt >= watchMs) break;
    }
  } catch (error) {
    // What came after the first picture is not what was asked about.
    if (!first) throw error;
  } finally {
    stop.abort();
  }
  const { cleaned, frame } = first!;
  const overMs = sources.clock.monotonic() - startedAt;
  return {
    judgement: { verdict: cleaned.verdict, evidence: cleaned.evidence },
    picture: {
      width: cleaned.memory.width ?? null,
      height: cleaned.memory.height ?? null,
      bytes: frame.bytes?.length ?? null,
      contentType: frame.contentType?.slice(0, 100) ?? null,
      refresh: cleaned.memory.width === undefined ? null : refreshOf(pictures, changedAt, overMs),
      conditional: transport === 'snapshot' && pictures > 1 ? conditional : null,
    },
  };
}

/** Pictures one after the other: streams bring them, a camera that is asked is asked once a second. */
async function* framesOf(
  source: FrameSource,
  memory: () => CleanMemory,
  { clock }: SourceContext,
  signal: AbortSignal,
): AsyncGenerator<EncodedFrame> {
  if (!isPolled(source)) return yield* source.frames(signal);
  for (;;) {
    const { etag, lastModified } = memory();
    yield await source.fetchOnce({ etag, lastModified, signal });
    await clock.sleep(PAUSE_MS, signal);
  }
}

/** From change to change, because the first picture may have been there for long. */
function refreshOf(pictures: number, changedAt: readonly number[], overMs: number): Refresh {
  const [first, last] = [changedAt[0], changedAt.at(-1)];
  const intervalMs = changedAt.length > 1 ? Math.round((last! - first!) / (changedAt.length - 1)) : null;
  return { pictures, changes: changedAt.length, overMs: Math.round(overMs), intervalMs };
}
