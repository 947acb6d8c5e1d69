type Version = readonly [major: number, minor: number, patch: number];

/** A published weakness that the way in which agents use ffmpeg comes near to. */
export interface Weakness {
  cve: string;
  /** What a camera that means harm can do with it. */
  words: string;
  /** First release of each line that has the fix; older lines have none. Empty: no release has it yet. */
  fixedIn: readonly Version[];
  /** Why it cannot be used here; absent where an agent cannot prevent it. */
  prevented?: string;
}

/**
 * Only what cameras can reach: ffmpeg never reads playlists here, opens no files and no encrypted connections, so its
 * weaknesses there are none of an agent. A new one is one line.
 */
export const WEAKNESSES: readonly Weakness[] = [
  {
    cve: 'CVE-2026-8461',
    words: 'writes behind its memory when it decodes MagicYUV',
    fixedIn: [[8, 1, 2]],
    prevented: 'that decoder is switched off',
  },
  {
    cve: 'CVE-2026-40962',
    words: 'writes behind its memory when it reads encrypted MP4',
    fixedIn: [[8, 1, 0]],
  },
  {
    cve: 'CVE-2026-107698',
    words: 'follows an RTSP redirection past its list of protocols',
    fixedIn: [
      [7, 1, 4],
      [8, 0, 2],
    ],
    prevented: 'the relay passes no redirection on',
  },
  {
    cve: 'CVE-2026-107696',
    words: 'follows RTSP redirections without end',
    fixedIn: [],
    prevented: 'the relay passes no redirection on',
  },
];

export interface Assessment {
  /**
   * `release`: one of the project's own, whose weaknesses are known by its number. `packaged`: of a distribution, which adds fixes
   * and keeps the number. `unknown`: of a commit or a name that says nothing.
   */
  kind: 'release' | 'packaged' | 'unknown';
  /** Of a release those that it has; of a packaged one those that it has unless its packager mended them. */
  weaknesses: readonly Weakness[];
}

/** `N` or nothing, number, and what builders append: nothing else may, or it is no release any more. */
const RELEASE = /^n?(\d+)\.(\d+)(?:\.(\d+))?(?:-(?:static|essentials|full)(?:_build)?(?:-.*)?)?$/;
const COMMIT_AFTER_TAG = /-\d+-g[0-9a-f]{6,}/;

/** By the version as the program says it, e.g. `7.0.2-static`, `5.1.9-0+deb12u1` or `N-113007-g8d24a28d06`. */
export function assess(version: string): Assessment {
  const numbers = /^n?(\d+)\.(\d+)(?:\.(\d+))?/.exec(version);
  if (!numbers || COMMIT_AFTER_TAG.test(version)) return { kind: 'unknown', weaknesses: [] };
  const number: Version = [Number(numbers[1]), Number(numbers[2]), Number(numbers[3] ?? 0)];
  const weaknesses = WEAKNESSES.filter(({ fixedIn }) => !hasFix(number, fixedIn));
  return { kind: RELEASE.test(version) ? 'release' : 'packaged', weaknesses };
}

/** Its own line has the fix from that release on; lines behind the newest with a fix began with it. */
function hasFix(version: Version, fixedIn: readonly Version[]): boolean {
  const ofLine = fixedIn.find(([major, minor]) => major === version[0] && minor === version[1]);
  if (ofLine) return compare(version, ofLine) >= 0;
  const newest = fixedIn.at(-1);
  return newest !== undefined && compare(version, newest) > 0;
}

const compare = (a: Version, b: Version): number => a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
