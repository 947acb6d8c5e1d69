import { readdirSync, readFileSync } from 'node:fs';

/** /proc counts CPU time in hundredths of a second (USER_HZ, fixed in Linux's interface). */
const TICK_MS = 10;

interface Process {
  pid: number;
  parent: number;
  name: string;
  ticks: number;
  /** Of children that ended and were waited for. */
  endedTicks: number;
}

export interface Spent {
  coordinatorMs: number;
  databaseMs: number;
  redisMs: number;
  at: number;
}

/** CPU time of the coordinator, of PostgreSQL with all of its processes, and of Redis. */
export function spentBy(coordinator: number): Spent {
  const all = familyOf(coordinator);
  const sum = (fits: (process: Process) => boolean): number =>
    all.filter(fits).reduce((total, { ticks, endedTicks }) => total + ticks + endedTicks, 0) * TICK_MS;
  return {
    coordinatorMs: (all.find(({ pid }) => pid === coordinator)?.ticks ?? 0) * TICK_MS,
    databaseMs: sum(({ name }) => name === 'postgres'),
    redisMs: sum(({ name }) => name.startsWith('redis')),
    at: performance.now(),
  };
}

/** Resident memory, MB; pages that processes of PostgreSQL share are counted once. */
export function memoryOf(coordinator: number): { coordinatorMb: number; databaseMb: number; redisMb: number } {
  const all = familyOf(coordinator);
  const sum = (fits: (process: Process) => boolean): number =>
    all.filter(fits).reduce((total, { pid }) => total + residentMb(pid), 0);
  return {
    coordinatorMb: sum(({ pid }) => pid === coordinator),
    databaseMb: sum(({ name }) => name === 'postgres'),
    redisMb: sum(({ name }) => name.startsWith('redis')),
  };
}

/** The folder in which PostgreSQL listens, read from its command line. */
export function databaseSocketOf(coordinator: number): string | undefined {
  for (const { pid } of familyOf(coordinator)) {
    const [, folder] = /unix_socket_directories=([^\0]+)/.exec(read(pid, 'cmdline')) ?? [];
    if (folder !== undefined) return folder;
  }
  return undefined;
}

function familyOf(root: number): Process[] {
  const all = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? processOf(Number(name)) : []));
  const family = new Set([root]);
  for (let before = 0; before < family.size;) {
    before = family.size;
    for (const { pid, parent } of all) if (family.has(parent)) family.add(pid);
  }
  return all.filter(({ pid }) => family.has(pid));
}

/** Nothing where the process has just ended. */
function processOf(pid: number): Process[] {
  const [, name, rest] = /^\d+ \((.*)\) (.*)$/s.exec(read(pid, 'stat')) ?? [];
  if (name === undefined || rest === undefined) return [];
  const fields = rest.split(' ').map(Number);
  const at = (index: number): number => fields[index] ?? 0;
  return [{ pid, name, parent: at(1), ticks: at(11) + at(12), endedTicks: at(13) + at(14) }];
}

function residentMb(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(read(pid, 'smaps_rollup'))?.[1] ?? 0) / 1_024;
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
