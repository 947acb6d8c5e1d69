import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Handles } from './scenario.ts';

/** Of another process, from outside: the look itself costs that process nothing. */
export function handlesOf(pid: number): Handles {
  const [, kilobytes = '0'] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  const descriptors = readdirSync(`/proc/${pid}/fd`);
  return {
    residentMb: (Number(kilobytes) * 1_024) / 1e6,
    descriptors: descriptors.length,
    sockets: descriptors.filter((name) => targetOf(`/proc/${pid}/fd/${name}`).startsWith('socket:')).length,
  };
}

/** It may have been closed meanwhile. */
function targetOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

export function meanOf(samples: readonly Handles[]): Handles {
  const mean = (of: keyof Handles): number => samples.reduce((sum, one) => sum + one[of], 0) / samples.length;
  return { residentMb: mean('residentMb'), descriptors: mean('descriptors'), sockets: mean('sockets') };
}
