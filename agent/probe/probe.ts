import type { ProbeItem } from '../../common/protocol/agent-link.ts';
import { probeCpu } from './cpu.ts';
import { probeDisk } from './disk.ts';
import { probeFfmpeg } from './ffmpeg.ts';
import { probeDescriptors, probeMemory } from './limits.ts';

/** Slower than this and a hundred changing cameras a minute are too many. */
const SLOW_INFERENCE_MS = 600;

export interface ProbeResult {
  items: ProbeItem[];
  /** Attempts a second that this machine can take, before anything was measured on real cameras. */
  capacity: number;
}

/** Looks at what the agent needs of its machine. Takes about a second; throws nothing. */
export async function probeMachine(options: {
  dataFolder: string;
  workers: number;
  /** The operator's ffmpeg. */
  ffmpeg?: string | undefined;
}): Promise<ProbeResult> {
  const cpu = probeCpu(options.workers);
  const others = [probeDisk(options.dataFolder), probeDescriptors(), probeFfmpeg(options.ffmpeg)];
  return { items: [cpu.item, probeMemory(), ...(await Promise.all(others))], capacity: cpu.capacity };
}

/** Wrong clocks do no harm to dates (those follow the coordinator), but to certificates and logs. */
export function probeClock(offsetMs: number, errorMs: number): ProbeItem {
  const seconds = Math.round(offsetMs / 100) / 10;
  const found = `${Math.abs(seconds)} s ${offsetMs < 0 ? 'behind' : 'ahead of'} the coordinator (± ${Math.ceil(errorMs)} ms)`;
  const ok = Math.abs(offsetMs) < 30_000;
  return {
    name: 'clock',
    ok,
    found,
    ...(!ok && { mend: 'Let NTP set the clock, for example: timedatectl set-ntp true' }),
  };
}

/** How fast the model in force runs here, measured on its golden frames. */
export function probeInference(msPerPicture: number): ProbeItem {
  const found = `${msPerPicture.toFixed(1)} ms a picture, ${Math.round(1_000 / msPerPicture)} a second`;
  const ok = msPerPicture < SLOW_INFERENCE_MS;
  const mend = 'Use a smaller model, or give this agent fewer cameras';
  return { name: 'inference', ok, found, ...(!ok && { mend }) };
}

/** One line an item, as people see it when the agent starts. */
export function describeProbe(items: readonly ProbeItem[]): string[] {
  return items.map(({ name, ok, found, mend }) => `${ok ? '✓' : '✗'} ${name}: ${found}${mend ? `. ${mend}` : ''}`);
}
