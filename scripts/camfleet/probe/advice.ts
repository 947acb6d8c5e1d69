import { pathsOf } from '../../../common/domain/brand.ts';
import type { Brand } from '../../../common/domain/brand.ts';
import type { Verdict } from '../../../common/domain/verdict.ts';
import { VERDICTS } from '../../../common/domain/verdict.ts';
import type { ProbeReport } from './report.ts';

/** What helps against each verdict that brings no picture. */
const AGAINST: Partial<Record<Verdict, string>> = {
  dns: 'check the spelling of the host name',
  refused: 'check the port, and that the camera is switched on and can be reached from this machine',
  timeout: 'ask again later; a camera that is always this slow needs a longer http.timeoutMs at its agent',
  interrupted: 'ask again later; the camera or its line may be overloaded',
  tls: 'check the certificate, or try http:// in the place of https://',
  http_error: 'open the address in a browser and check the path',
  not_an_image: 'look for the address of the picture itself: this is a page that may show it',
  empty: 'ask again later; the camera answers, but with nothing',
  corrupt: 'ask again: if it stays damaged the camera or its line is',
  oversized: 'ask the camera for a smaller picture, or raise pixels.max at its agent',
  too_large: 'give the path of a snapshot, not of a recording; else raise http.maxBytes at its agent',
  protocol_error: 'check scheme and port: what answers does not speak HTTP as a camera does, or redirects in a circle',
  no_frame: 'check the path: the stream ends without a picture',
  failed: 'check the address',
};

/** Pictures that arrive and show nothing. */
const SHOWS_NOTHING: Partial<Record<Verdict, string>> = {
  black: 'look at it by day before you add it: it shows nothing now',
  blank: 'look at it before you add it: its lens may be covered',
};

export function adviceFor(report: Omit<ProbeReport, 'advice'>, brands: readonly Brand[]): string[] {
  const { verdict, signIn } = report;
  const advice: string[] = [];
  if (verdict === 'unauthorized' && signIn === 'missing')
    advice.push('give its credentials with --user and --password');
  else if (verdict === 'unauthorized' && signIn === 'refused')
    advice.push('check user name and password; some cameras lock out whoever fails too often'); // prettier-ignore
  else if (verdict === 'unauthorized')
    advice.push('its owner does not let everybody see it, and it offers no sign-in that could be used');
  if (verdict === 'blocked') advice.push(againstBlocked(report));
  const usual = AGAINST[verdict] ?? SHOWS_NOTHING[verdict];
  if (usual !== undefined) advice.push(usual);
  if (!VERDICTS[verdict].yieldsFrame) advice.push(...brandAdvice(report, brands));
  return advice;
}

function againstBlocked({ url, evidence }: Omit<ProbeReport, 'advice'>): string {
  const { host, address, reason } = evidence;
  if (String(reason).startsWith('taken down'))
    return `it sends whoever asks on to ${String(host)}, which is on the list of take-downs: leave it alone`;
  if (host !== undefined && URL.canParse(url) && new URL(url).hostname !== host)
    return `it sends whoever asks on to ${String(host)}, inside somebody's network: ask its owner for an address that all can reach`;
  return `if the camera is yours, allow its range: --allow ${String(address ?? 'RANGE')} here, egress.allow at its agents`;
}

function brandAdvice({ url, brand }: Omit<ProbeReport, 'advice'>, brands: readonly Brand[]): string[] {
  const paths = brand && pathsOf(brands, brand.name);
  if (!paths || !URL.canParse(url)) return [];
  const { origin, pathname, search } = new URL(url);
  const others = [paths.snapshot, paths.video].filter((path) => path !== undefined && path !== pathname + search);
  return others.map((path) => `cameras of ${brand.name} mostly have ${origin}${path}`);
}
