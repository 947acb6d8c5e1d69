const names = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' });

/** What feeds write and the display names lack. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  usa: 'US',
  uk: 'GB',
  england: 'GB',
  scotland: 'GB',
  wales: 'GB',
  'united states of america': 'US',
  'great britain': 'GB',
  korea: 'KR',
  'republic of korea': 'KR',
  czech: 'CZ',
  'czech republic': 'CZ',
  turkey: 'TR',
  'russian federation': 'RU',
  holland: 'NL',
};

/** Codes that the locale data names but ISO 3166 does not assign to a country. */
const NOT_COUNTRIES = new Set(['EU', 'EZ', 'UN', 'UK', 'XA', 'XB', 'QO', 'ZZ']);

const byName = new Map(Object.entries(OTHER_NAMES));
const codes = new Set<string>();
for (let first = 65; first <= 90; first++) {
  for (let second = 65; second <= 90; second++) {
    const code = String.fromCharCode(first, second);
    const name = names.of(code);
    // Codes of former states become those of their successors: DD → DE.
    const isFormer = Intl.getCanonicalLocales(`und-${code}`)[0] !== `und-${code}`;
    if (name === undefined || isFormer || NOT_COUNTRIES.has(code)) continue;
    codes.add(code);
    if (!byName.has(name.toLowerCase())) byName.set(name.toLowerCase(), code);
  }
}

/** ISO 3166 alpha-2 code for a code or an English name; `undefined` for anything else. */
export function countryCode(text: string): string | undefined {
  const code = text.trim().toUpperCase();
  return codes.has(code) ? code : byName.get(text.trim().toLowerCase());
}

const zones = new Map<string, boolean>();

/** Whether this is a time zone of the IANA database. */
export function isTimeZone(text: string): boolean {
  let known = zones.get(text);
  if (known === undefined) {
    known = /^[A-Za-z]/.test(text) && canFormatIn(text);
    // Hostile files must not fill the memory; there are some 600 zones.
    if (zones.size < 2_000) zones.set(text, known);
  }
  return known;
}

function canFormatIn(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false;
  }
}

/** Zone of a whole-hour offset from UTC, given in hours or in seconds. The signs of `Etc/GMT` zones are reversed. */
export function zoneOfOffset(offset: number): string | undefined {
  const hours = Math.abs(offset) > 14 ? offset / 3_600 : offset;
  if (!Number.isInteger(hours) || Math.abs(hours) > 12) return undefined;
  return hours === 0 ? 'Etc/UTC' : `Etc/GMT${hours > 0 ? '-' : '+'}${Math.abs(hours)}`;
}
