import { readFile } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import type { ProbeItem } from '../../common/protocol/agent-link.ts';

const ENOUGH_MEMORY = 400_000_000;
/** One socket for each camera that is being asked, some kept open, and the agent's own files. */
const ENOUGH_DESCRIPTORS = 4_096;

export function probeMemory(): ProbeItem {
  const limit = process.constrainedMemory() || totalmem();
  const available = Math.min(process.availableMemory?.() ?? freemem(), limit);
  const found = `${(available / 1e9).toFixed(1)} GB of ${(Math.min(limit, totalmem()) / 1e9).toFixed(1)} GB available`;
  const ok = available >= ENOUGH_MEMORY;
  return { name: 'memory', ok, found, ...(!ok && { mend: 'Free at least 0.4 GB, or run this agent elsewhere' }) };
}

export async function probeDescriptors(): Promise<ProbeItem> {
  const text = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(text)?.[1];
  if (soft === undefined) return { name: 'file descriptors', ok: true, found: 'this system does not tell' };
  const limit = soft === 'unlimited' ? Infinity : Number(soft);
  const ok = limit >= ENOUGH_DESCRIPTORS;
  const mend = `Start it after "ulimit -n ${ENOUGH_DESCRIPTORS}", or set LimitNOFILE in its systemd unit`;
  return { name: 'file descriptors', ok, found: `${soft} may be open at once`, ...(!ok && { mend }) };
}
