import type { Stretch } from '../../../common/protocol/agent-link.ts';
import type { PlannableCamera } from '../types.ts';

/** Low priorities are slowed down this far before higher ones are slowed at all. */
const FACTOR_BEFORE_NEXT_PRIORITY = 4;
/** Steps that agents see; finer ones would only change the numbers all the time. */
const STEP = 0.05;
const ALL_PRIORITIES = 10;

export const NO_STRETCH: Stretch = { factor: 1, belowPriority: 0 };

/** Attempts a second. */
export function loadOf({ intervalMs, priority }: PlannableCamera, { factor, belowPriority }: Stretch): number {
  return 1_000 / (intervalMs * (priority < belowPriority ? factor : 1));
}

/**
 * The smallest common factor by which intervals must grow so that the fleet can do the work: first those of the lowest
 * priorities alone, then more, the highest last. `capacity` and loads in attempts a second.
 */
export function stretchFor(cameras: readonly PlannableCamera[], capacity: number): Stretch {
  const byPriority = Array.from({ length: ALL_PRIORITIES }, () => 0);
  for (const { priority, intervalMs } of cameras)
    byPriority[priority] = (byPriority[priority] ?? 0) + 1_000 / intervalMs;
  const total = sum(byPriority);
  if (total <= capacity || capacity <= 0) return NO_STRETCH;
  for (let belowPriority = 1; belowPriority <= ALL_PRIORITIES; belowPriority++) {
    const slowed = sum(byPriority.slice(0, belowPriority));
    const left = capacity - (total - slowed);
    if (slowed === 0 || left <= 0) continue;
    const factor = roundUp(slowed / left);
    if (factor <= FACTOR_BEFORE_NEXT_PRIORITY || belowPriority === ALL_PRIORITIES) return { factor, belowPriority };
  }
  return { factor: roundUp(total / capacity), belowPriority: ALL_PRIORITIES };
}

/** The next step where loads do not fit into what is left on each agent: a larger factor, for one more priority. */
export function raise({ factor, belowPriority }: Stretch): Stretch {
  return { factor: roundUp(factor * 1.05), belowPriority: Math.min(ALL_PRIORITIES, belowPriority + 1) };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
const roundUp = (factor: number): number => Math.ceil(Number((factor / STEP).toFixed(6))) * STEP;
