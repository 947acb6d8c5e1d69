import { AppError } from '../../../common/runtime/errors.ts';

const ISO = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?$/i;
const DAY_MS = 86_400_000;

/**
 * The instant that a text means, ms since the epoch. Text without offset is a time on the clocks of `timeZone`. Throws
 * `LABEL_TIME_INVALID`, also where clocks jumped over that time or showed it twice.
 */
export function instantOf(text: string, timeZone?: string): number {
  const [, year, month, day, hour, minute, second = '0', fraction = '', offset] = ISO.exec(text.trim()) ?? [];
  if (year === undefined) throw invalid(`"${text.slice(0, 40)}" is no time; write it like 2026-07-01T09:30:00Z`);
  const ms = Number(fraction.padEnd(3, '0').slice(0, 3));
  const fields = [Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second), ms];
  const local = Date.UTC(...(fields as [number, number, number, number, number, number, number]));
  const read = new Date(local);
  if (read.getUTCMonth() !== fields[1] || read.getUTCDate() !== fields[2] || read.getUTCHours() !== fields[3]) {
    throw invalid(`there is no such time as "${text.slice(0, 40)}"`);
  }
  if (offset !== undefined) return local - offsetMs(offset);
  if (timeZone === undefined) throw invalid('the time has no offset; add one, or name the time zone with --timezone');
  return fromLocal(local, timeZone, text);
}

function offsetMs(text: string): number {
  if (text.toUpperCase() === 'Z') return 0;
  const digits = text.slice(1).replace(':', '').padEnd(4, '0');
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2));
  return (text.startsWith('-') ? -minutes : minutes) * 60_000;
}

function fromLocal(local: number, timeZone: string, text: string): number {
  const around = new Set([offsetAt(local - DAY_MS, timeZone), offsetAt(local + DAY_MS, timeZone)]);
  const instants = [...around].map((offset) => local - offset).filter((at) => at + offsetAt(at, timeZone) === local);
  if (instants.length === 1) return instants[0] as number;
  const what = instants.length === 0 ? 'the clocks jumped over' : 'the clocks showed twice';
  throw invalid(`"${text.slice(0, 40)}" is a time that ${what} in ${timeZone}; write its offset`);
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** What clocks in the zone are ahead of UTC at an instant, ms. Throws `LABEL_TIME_INVALID` for a zone that is none. */
export function offsetAt(at: number, timeZone: string): number {
  const parts = new Map(
    formatOf(timeZone)
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const field = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0;
  const shown = Date.UTC(
    ...([field('year'), field('month') - 1, field('day')] as [number, number, number]),
    ...([field('hour'), field('minute'), field('second')] as [number, number, number]),
  );
  return shown - Math.floor(at / 1_000) * 1_000;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known) return known;
  try {
    const format = new Intl.DateTimeFormat('en-US', {
      ...{ timeZone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit' },
      ...{ hour: '2-digit', minute: '2-digit', second: '2-digit' },
    } as Intl.DateTimeFormatOptions);
    // Hostile input must not fill the memory; there are some 600 zones.
    if (formats.size < 1_000) formats.set(timeZone, format);
    return format;
  } catch (cause) {
    const message = `"${timeZone.slice(0, 40)}" is no time zone; write one like America/New_York`;
    throw new AppError('LABEL_TIME_INVALID', message, { cause });
  }
}

const invalid = (message: string): AppError => new AppError('LABEL_TIME_INVALID', message);
