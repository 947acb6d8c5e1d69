import type { Evidence, Verdict } from '../../../common/domain/verdict.ts';
import { VERDICTS } from '../../../common/domain/verdict.ts';
import type { Transport } from '../../../agent/sources/source.ts';

/** How often a camera shows something new, as far as a few seconds can tell. */
export interface Refresh {
  /** Pictures that were looked at, and how many of them differed from the one before. */
  pictures: number;
  changes: number;
  overMs: number;
  /** Mean time between two changes; `null` where too few were seen. */
  intervalMs: number | null;
}

/** What a probe found. No field holds credentials. */
export interface ProbeReport {
  url: string;
  /** `null` where the camera could not be asked what it has. */
  transport: Transport | null;
  verdict: Verdict;
  evidence: Evidence;
  width: number | null;
  height: number | null;
  bytes: number | null;
  contentType: string | null;
  /** `null` where there was no picture. */
  refresh: Refresh | null;
  /** Whether it answers "not modified" to somebody who has the picture. */
  conditional: boolean | null;
  signIn: 'none' | 'accepted' | 'refused' | 'missing';
  server: string | null;
  realm: string | null;
  brand: { name: string; by: 'server' | 'realm' | 'path' } | null;
  /** What to try next, in plain words. */
  advice: string[];
}

/** The report for people. */
export function probeWords(report: ProbeReport): string {
  const { url, transport, verdict, width, height, bytes, refresh, conditional, brand, server } = report;
  const lines: [string, string | null][] = [
    ['address', url],
    ['found', `${verdict}: ${VERDICTS[verdict].words}${detailOf(report)}`],
    ['transport', transport && TRANSPORTS[transport]],
    ['picture', width === null ? null : `${width} x ${height} px, ${Math.ceil((bytes ?? 0) / 1_000)} kB`],
    ['refresh', refresh && refreshWords(refresh)],
    [
      'unchanged',
      conditional === null
        ? null
        : conditional
          ? 'answers 304, which saves traffic'
          : 'sends the picture again every time',
    ],
    ['sign-in', SIGN_INS[report.signIn]],
    ['brand', brand && `${brand.name}, by its ${BY[brand.by]}`],
    ['server', server],
    ...report.advice.map((advice): [string, string] => ['try', advice]),
  ];
  const shown = lines.filter((line): line is [string, string] => line[1] !== null);
  return shown.map(([name, value]) => `${name.padEnd(9)}  ${printable(value)}\n`).join('');
}

const TRANSPORTS: Record<Transport, string> = {
  snapshot: 'snapshots: one picture for each request',
  mjpeg: 'MJPEG: pictures without end over one answer',
  hls: 'HLS: a playlist with pieces of video',
  rtsp: 'RTSP: a video stream',
  rtmp: 'RTMP: a video stream',
  file: 'a folder of pictures',
};

const SIGN_INS = {
  none: null,
  accepted: 'accepts the credentials',
  refused: 'refuses the credentials',
  missing: 'asks for credentials',
};
const BY = { server: 'Server header', realm: 'sign-in', path: 'path' };

function detailOf({ evidence }: ProbeReport): string {
  const { httpStatus, address, reason, cause, detail } = evidence;
  if (httpStatus !== undefined) return ` (HTTP ${httpStatus})`;
  if (address !== undefined) return ` (${address}: ${reason})`;
  const why = detail ?? cause;
  return why === undefined ? '' : ` (${why})`;
}

function refreshWords({ pictures, changes, overMs, intervalMs }: Refresh): string {
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  if (intervalMs !== null && intervalMs < 500) return `${(1_000 / intervalMs).toFixed(1)} pictures a second`;
  if (intervalMs !== null) return `about every ${seconds(intervalMs)} (${changes} changes in ${pictures} pictures)`;
  if (pictures < 2) return 'not measured: one picture only';
  return `nothing new within ${seconds(overMs)}`;
}

/** Cameras speak in headers: what they say must not steer the terminal. */
const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '·').slice(0, 300);
