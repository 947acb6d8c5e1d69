/** When a camera is to be captured, in the wall time of where it stands. */
export interface ActiveHours {
  /** As an operator wrote it, with single spaces. */
  text: string;
  /** Minutes of the week since Monday 00:00, local; half open, in order, apart from each other. */
  windows: readonly (readonly [from: number, until: number])[];
}

const DAY = 1_440;
const WEEK = 7 * DAY;
const MINUTE_MS = 60_000;
export const MAX_ACTIVE_HOURS = 200;
const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
const FORMS =
  'write days and times such as "Mo-Fr 06:00-20:00", "Mo-Fr 06:00-09:00,16:00-20:00; Sa,Su 10:00-18:00", "22:00-05:00" (every day, over midnight) or "24/7"';

/** `problem` says what was not understood and what the right form is. */
export function parseActiveHours(given: string): ActiveHours | { problem: string } {
  const text = given.trim().replaceAll(/\s+/g, ' ');
  const wrong = (reason: string) => ({ problem: `"${text.slice(0, 60)}" is no table of hours: ${reason}; ${FORMS}` });
  if (text.length > MAX_ACTIVE_HOURS) return wrong(`it is longer than ${MAX_ACTIVE_HOURS} characters`);
  if (text === '24/7') return { text, windows: [[0, WEEK]] };
  const windows: [number, number][] = [];
  for (const rule of text.split(';')) {
    const read = readRule(rule.replaceAll(/\s*[-–]\s*/g, '-'));
    if (typeof read === 'string') return wrong(read);
    windows.push(...read);
  }
  return { text, windows: merged(windows) };
}

/** Days, then times; further days begin again. A text is what is wrong. */
function readRule(rule: string): [number, number][] | string {
  const words = rule.split(/[\s,]+/).filter((word) => word !== '');
  if (words.length === 0) return 'a part of it is empty';
  const windows: [number, number][] = [];
  let days: number[] = [];
  let times = 0;
  for (const word of words) {
    const named = daysOf(word);
    if (named) {
      if (times > 0) [days, times] = [[], 0];
      days.push(...named);
      continue;
    }
    const time = timesOf(word);
    if (typeof time === 'string') return time;
    times++;
    for (const day of days.length > 0 ? days : DAYS.keys()) windows.push([day * DAY + time[0], day * DAY + time[1]]);
  }
  return times > 0 ? windows : `"${words.at(-1)}" has no times`;
}

function daysOf(word: string): number[] | undefined {
  const ends = word.split('-').map((name) => {
    const day = DAYS.findIndex((full) => full.startsWith(name.toLowerCase()));
    return name.length >= 2 && day >= 0 ? day : undefined;
  });
  const [first, last = first, ...rest] = ends;
  if (first === undefined || last === undefined || rest.length > 0 || ends.includes(undefined)) return undefined;
  return Array.from({ length: ((last - first + 7) % 7) + 1 }, (_, index) => (first + index) % 7);
}

function timesOf(word: string): [number, number] | string {
  const [, h1, m1, h2, m2] = /^(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$/.exec(word) ?? [];
  if (h1 === undefined) return `"${word}" was not understood`;
  const [from, until] = [Number(h1) * 60 + Number(m1), Number(h2) * 60 + Number(m2)];
  if (Number(m1) > 59 || Number(m2) > 59 || from >= DAY || until > DAY) return `"${word}" holds a time that no day has`;
  if (from === until) return `"${word}" begins when it ends`;
  return [from, until > from ? until : until + DAY];
}

/** What goes beyond Sunday's midnight comes round to Monday. */
function merged(given: readonly [number, number][]): [number, number][] {
  const split = given.flatMap(([from, until]): [number, number][] =>
    until <= WEEK
      ? [[from, until]]
      : [
          [from, WEEK],
          [0, until - WEEK],
        ],
  );
  const windows: [number, number][] = [];
  for (const [from, until] of split.toSorted((a, b) => a[0] - b[0])) {
    const last = windows.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], until);
    else windows.push([from, until]);
  }
  return windows;
}

const isOpen = ({ windows }: ActiveHours, minute: number): boolean =>
  windows.some(([from, until]) => from <= minute && minute < until);

/** Whether the camera is to be captured at this instant (ms since the epoch). `zone` is an IANA time zone. */
export const isActive = (hours: ActiveHours, zone: string, at: number): boolean =>
  isOpen(hours, minuteOfWeek(at, offsetOf(zone, at)));

/** The first instant from `at` on in which the camera is active, ms since the epoch. */
export function opensAt(hours: ActiveHours, zone: string, at: number): number {
  let from = at;
  // The clocks change at most once within the week that a window can be away; twice leaves room.
  for (let changes = 0; changes < 3; changes++) {
    const offset = offsetOf(zone, from);
    const minute = minuteOfWeek(from, offset);
    if (isOpen(hours, minute)) return from;
    const waits = hours.windows.map(([begin]) => (begin - minute + WEEK) % WEEK);
    // Whole minutes to count with; the seconds that have gone by of this one are taken off.
    const candidate = from - ((((from + offset) % MINUTE_MS) + MINUTE_MS) % MINUTE_MS) + Math.min(...waits) * MINUTE_MS;
    const change = changeOfOffset(zone, from, candidate);
    if (change === undefined) return candidate;
    from = change;
  }
  return from;
}

/** Whole minutes. 1 January 1970 was a Thursday. */
const minuteOfWeek = (at: number, offsetMs: number): number =>
  (((Math.floor((at + offsetMs) / MINUTE_MS) + 3 * DAY) % WEEK) + WEEK) % WEEK;

/** Offsets of the world's zones change at quarters of an hour. */
const STEP_MS = 15 * MINUTE_MS;

/** When the clocks change between the two instants; `undefined` where they show the same offset. */
function changeOfOffset(zone: string, from: number, until: number): number | undefined {
  const before = offsetOf(zone, from);
  if (offsetOf(zone, until) === before) return undefined;
  let low = Math.floor(from / STEP_MS);
  let high = Math.ceil(until / STEP_MS);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetOf(zone, middle * STEP_MS) === before) low = middle;
    else high = middle;
  }
  return high * STEP_MS;
}

interface Zone {
  format: Intl.DateTimeFormat;
  step: number;
  offsetMs: number;
}
const zones = new Map<string, Zone>();

/** Local time minus UTC, ms. */
function offsetOf(zone: string, at: number): number {
  let known = zones.get(zone);
  if (!known) zones.set(zone, (known = { format: formatOf(zone), step: NaN, offsetMs: 0 }));
  const step = Math.floor(at / STEP_MS);
  if (known.step === step) return known.offsetMs;
  const part = Object.fromEntries(
    known.format.formatToParts(step * STEP_MS).map(({ type, value }) => [type, Number(value)]),
  );
  const local = Date.UTC(part['year']!, part['month']! - 1, part['day'], part['hour'], part['minute'], part['second']);
  Object.assign(known, { step, offsetMs: local - step * STEP_MS });
  return known.offsetMs;
}

const formatOf = (timeZone: string): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
