import { VERDICTS } from '../../../common/domain/verdict.ts';
import type { Verdict } from '../../../common/domain/verdict.ts';

/** One colour a meaning: sees well, sees something odd, shows nothing, does not answer. */
export function toneOf(verdict: Verdict | null): 'good' | 'odd' | 'bad' | 'none' {
  if (verdict === null) return 'none';
  const entry = VERDICTS[verdict];
  if (entry.healthy) return 'good';
  return entry.yieldsFrame ? 'odd' : 'bad';
}

export const nameOf = (verdict: Verdict): string => verdict.replaceAll('_', ' ');
export const reasonOf = (verdict: Verdict): string => VERDICTS[verdict].words;

export function age(from: number | null, now: number): string {
  if (from === null) return 'never';
  const seconds = Math.max(0, Math.round((now - from) / 1_000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export const share = (value: number): string => `${(value * 100).toFixed(1)} %`;

export const count = (value: number): string => value.toLocaleString('en');

export function interval(ms: number): string {
  const seconds = ms / 1_000;
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`;
  return seconds % 3_600 === 0 ? `${seconds / 3_600} h` : `${Number((seconds / 60).toFixed(1))} min`;
}

export const plural = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? '' : 's'}`;

/** Local day and time, the day only where it is not today. */
export function moment(at: number, now = Date.now()): string {
  const time = new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  if (new Date(at).toDateString() === new Date(now).toDateString()) return time;
  return `${new Date(at).toLocaleDateString('en-GB', { weekday: 'short', day: 'numeric', month: 'short' })} ${time}`;
}

/** How long until then, e.g. "in 5 min"; "now" where it is due. */
export const inTime = (at: number, now: number): string => (at <= now + 1_000 ? 'now' : `in ${age(now, at)}`);
