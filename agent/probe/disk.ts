import { mkdir, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProbeItem } from '../../common/protocol/agent-link.ts';
import { messageOf } from '../../common/runtime/errors.ts';

const ENOUGH_BYTES = 1_000_000_000;
/** A batch is synced twice every 5 s: slower than this and reports would hold up capture. */
const SLOW_SYNC_MS = 500;

/** Free room, and how long a small record takes to be safe. */
export async function probeDisk(folder: string): Promise<ProbeItem> {
  const path = join(folder, `probe-${process.pid}`);
  try {
    await mkdir(folder, { recursive: true });
    const { bavail, bsize } = await statfs(folder);
    const began = performance.now();
    const file = await open(path, 'w');
    await file.writeFile(Buffer.alloc(64 * 1024));
    await file.sync();
    await file.close();
    const took = performance.now() - began;
    return judge(bavail * bsize, took);
  } catch (error) {
    return {
      name: 'disk',
      ok: false,
      found: `${folder} cannot be written (${messageOf(error)})`,
      mend: 'Give the agent a folder of its own with --data',
    };
  } finally {
    await rm(path, { force: true }).catch(() => {});
  }
}

function judge(free: number, tookMs: number): ProbeItem {
  const found = `${(free / 1e9).toFixed(1)} GB free, 64 kB written and synced in ${tookMs.toFixed(1)} ms`;
  if (free < ENOUGH_BYTES)
    return {
      name: 'disk',
      ok: false,
      found,
      mend: 'Make room: 1 GB lets the agent outlast an outage of the coordinator',
    };
  if (tookMs > SLOW_SYNC_MS)
    return { name: 'disk', ok: false, found, mend: 'The disk is slow: put the data folder on another one with --data' };
  return { name: 'disk', ok: true, found };
}
