import type { ProbeItem } from '../../common/protocol/agent-link.ts';
import { findFfmpeg } from '../sources/ffmpeg/find.ts';
import type { Ffmpeg } from '../sources/ffmpeg/find.ts';
import { assess, WEAKNESSES } from '../sources/ffmpeg/weaknesses.ts';
import type { Weakness } from '../sources/ffmpeg/weaknesses.ts';

/** Whether there is an ffmpeg, and what is known against it. `configured`: the operator's. */
export async function probeFfmpeg(configured: string | undefined): Promise<ProbeItem> {
  return describeFfmpeg(await findFfmpeg({ configured }), configured);
}

export function describeFfmpeg(ffmpeg: Ffmpeg | undefined, configured?: string): ProbeItem {
  if (!ffmpeg) return absent(configured);
  const { version, path } = ffmpeg;
  const { kind, weaknesses } = assess(version);
  const name = `${version} (${path})`;
  const open = weaknesses.filter(({ prevented }) => prevented === undefined);
  const shut = weaknesses.filter(({ prevented }) => prevented !== undefined);
  if (kind === 'unknown') return item(true, `${name}, a build whose number says nothing of its fixes; ${KEEP_NEW}`);
  if (kind === 'packaged') {
    const doubt = `: its number does not tell whether ${list(open)} is mended; ${KEEP_PATCHED}`;
    return item(true, `${name}, a packaged build${open.length > 0 ? doubt : ''}${kept(shut)}`);
  }
  if (open.length === 0) return item(true, `${name}, nothing known that a camera could use${kept(shut)}`);
  const said = open.map(({ cve, words }) => `${cve}: it ${words}`).join('; ');
  return item(false, `${name} is known to be vulnerable: ${said}${kept(shut)}`, MEND);
}

/** The newest of the first releases with a fix, over all that are not prevented. */
const GOOD = WEAKNESSES.filter(({ prevented, fixedIn }) => prevented === undefined && fixedIn.length > 0)
  .map(({ fixedIn }) => fixedIn.at(-1)!)
  .sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2])
  .at(-1)!
  .join('.');
const MEND = `Install ffmpeg ${GOOD} or newer, or the build of a distribution that mends it, and set streams.ffmpeg (CAMFLEET_AGENT_STREAMS_FFMPEG) to it`;
const KEEP_PATCHED =
  'keep the package up to date, its distribution publishes what it has mended (Debian: security-tracker.debian.org/tracker/source-package/ffmpeg)';
const KEEP_NEW = `of a release, ${GOOD} or newer, it could be told`;

const list = (weaknesses: readonly Weakness[]): string => weaknesses.map(({ cve }) => cve).join(', ');

function kept(weaknesses: readonly Weakness[]): string {
  if (weaknesses.length === 0) return '';
  return ` (kept from it: ${weaknesses.map(({ cve, prevented }) => `${cve}, ${prevented}`).join('; ')})`;
}

function absent(configured: string | undefined): ProbeItem {
  if (configured !== undefined)
    return item(
      false,
      `${configured} is no ffmpeg that runs`,
      'Set streams.ffmpeg (CAMFLEET_AGENT_STREAMS_FFMPEG) to one',
    );
  return item(true, 'none found; cameras that stream (HLS, RTSP, RTMP) need it: install the package ffmpeg');
}

const item = (ok: boolean, found: string, mend?: string): ProbeItem => ({
  name: 'ffmpeg',
  ok,
  found,
  ...(mend !== undefined && { mend }),
});
