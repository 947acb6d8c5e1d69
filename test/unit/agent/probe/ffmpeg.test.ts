import { describe, expect, test } from 'vitest';
import { describeFfmpeg, probeFfmpeg } from '../../../../agent/probe/ffmpeg.ts';
import { findFfmpeg } from '../../../../agent/sources/ffmpeg/find.ts';
import { assess } from '../../../../agent/sources/ffmpeg/weaknesses.ts';

/** By version as ffmpeg says it: what kind of build it is, and the ends of the CVE numbers that it has or may have. */
const VERSIONS: [version: string, kind: string, cves: string][] = [
  ['4.4', 'release', '8461 40962 107698 107696'],
  ['6.1.1', 'release', '8461 40962 107698 107696'],
  ['7.0.2-static', 'release', '8461 40962 107698 107696'],
  ['7.1.1-essentials_build-www.gyan.dev', 'release', '8461 40962 107698 107696'],
  ['n7.1.3', 'release', '8461 40962 107698 107696'],
  ['7.1.4', 'release', '8461 40962 107696'],
  ['8.0', 'release', '8461 40962 107698 107696'],
  ['8.0.1', 'release', '8461 40962 107698 107696'],
  ['8.0.2', 'release', '8461 40962 107696'],
  ['8.1', 'release', '8461 107696'],
  ['8.1.1', 'release', '8461 107696'],
  ['8.1.2', 'release', '107696'],
  ['9.0.2', 'release', '107696'],
  ['10.0', 'release', '107696'],
  ['5.1.9-0+deb12u1', 'packaged', '8461 40962 107698 107696'],
  ['4.4.2-0ubuntu0.22.04.1', 'packaged', '8461 40962 107698 107696'],
  ['7.1.2-1.fc42', 'packaged', '8461 40962 107698 107696'],
  ['8.1.2-1', 'packaged', '107696'],
  ['N-113007-g8d24a28d06-20231204', 'unknown', ''],
  ['n7.1-12-g0fc1d17', 'unknown', ''],
  ['2024-05-06-git-96449cfeae-full_build-www.gyan.dev', 'unknown', ''],
  ['git-2020-01-01', 'unknown', ''],
];

test.each(VERSIONS)('%s is %s, with %s', (version, kind, cves) => {
  const assessment = assess(version);
  expect(assessment.kind).toBe(kind);
  expect(assessment.weaknesses.map(({ cve }) => cve.replace('CVE-2026-', '')).join(' ')).toBe(cves);
});

describe('the self-probe', () => {
  const item = (version: string) => describeFfmpeg({ path: '/opt/ffmpeg', version, origin: 'configured' });

  test('names a vulnerable release, with what can be done to it and the mend', () => {
    const { ok, found, mend } = item('6.1.1');
    expect(ok).toBe(false);
    expect(found).toMatch(/^6\.1\.1 \(\/opt\/ffmpeg\) is known to be vulnerable: CVE-2026-40962: it writes behind its/);
    expect(found).toMatch(/kept from it: .*CVE-2026-107698, the relay passes no redirection on/);
    expect(mend).toMatch(/Install ffmpeg 8\.1\.0 or newer.* set streams\.ffmpeg/);
  });

  test('has nothing against a release whose weaknesses cannot be reached, and still names them', () => {
    const { ok, found, mend } = item('9.0.2');
    expect({ ok, mend }).toEqual({ ok: true });
    expect(found).toMatch(/nothing known that a camera could use \(kept from it: CVE-2026-107696/);
  });

  test('does not claim to know what a distribution has mended, nor what a nightly build has', () => {
    const packaged = item('5.1.9-0+deb12u1');
    expect(packaged.ok).toBe(true);
    expect(packaged.found).toMatch(/packaged build: its number does not tell whether CVE-2026-40962 is mended; keep/);
    expect(item('N-113007-g8d24a28d06').found).toMatch(/says nothing of its fixes/);
  });

  test('says what to do where there is none', async () => {
    expect(describeFfmpeg(undefined)).toMatchObject({ ok: true, found: expect.stringContaining('install') });
    const configured = await probeFfmpeg('/nowhere/ffmpeg');
    expect(configured).toMatchObject({ ok: false, found: '/nowhere/ffmpeg is no ffmpeg that runs' });
  });

  test('asks the ffmpeg of this machine', async () => {
    const found = await findFfmpeg();
    const probed = await probeFfmpeg(undefined);
    expect(probed.found).toContain(found?.version ?? 'none found');
  });
});
