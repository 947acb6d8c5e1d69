import { PART_SHARES, parts, ratiosOf } from '../../../common/domain/dataset.ts';
import type { Dataset, Part } from '../../../common/domain/dataset.ts';

/** A labelled frame that was drawn. */
export interface Drawn {
  digest: string;
  label: string;
  cameraId: number;
  /** ms. */
  fetchedAt: number;
  /** The part of its camera. */
  cameraPart: Part;
  /** Whether an earlier snapshot has it in its training part: it is never judged on. */
  wasTrained: boolean;
}

export type Placed<T extends Drawn> = T & { part: Part };
type ClassSummary = Dataset['classes'][number];

/** Scenes change little within some minutes: frames of two parts that are nearer would be near copies. */
const GAP_MS = 600_000;

/**
 * Puts every frame into a part. By camera where that gives a class all three parts; else its frames are split by time, with a
 * gap; where there are too few for that they stay with their cameras and the class is not evaluable. Frames inside a gap are
 * left out. Classes come in the byte order of their names.
 */
export function splitFrames<T extends Drawn>(drawn: readonly T[]): { placed: Placed<T>[]; classes: ClassSummary[] } {
  const byLabel = new Map<string, T[]>();
  for (const frame of drawn) {
    const own = byLabel.get(frame.label);
    if (own) own.push(frame);
    else byLabel.set(frame.label, [frame]);
  }
  const labels = [...byLabel.keys()].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const split = labels.map((label) => ({ label, ...splitClass(byLabel.get(label) as T[]) }));
  const counts = split.map(({ placed }) => countParts(placed));
  const ratios = ratiosOf(counts.map(({ training }) => training));
  return {
    placed: split.flatMap(({ placed }) => placed),
    classes: split.map(({ label, how, placed }, index) => ({
      label,
      split: how,
      counts: counts[index] as ClassSummary['counts'],
      cameras: new Set(placed.map(({ cameraId }) => cameraId)).size,
      ratio: ratios[index] as number,
    })),
  };
}

function splitClass<T extends Drawn>(frames: readonly T[]): { how: ClassSummary['split']; placed: Placed<T>[] } {
  const byCamera = frames
    .filter(({ cameraPart, wasTrained }) => cameraPart === 'training' || !wasTrained)
    .map((frame) => ({ ...frame, part: frame.cameraPart }));
  if (hasAllParts(byCamera)) return { how: 'camera', placed: byCamera };
  const byTime = splitByTime(frames);
  return hasAllParts(byTime) ? { how: 'time', placed: byTime } : { how: 'not-evaluable', placed: byCamera };
}

/** The oldest are trained on, the newest are judged on. */
function splitByTime<T extends Drawn>(frames: readonly T[]): Placed<T>[] {
  const ordered = frames.toSorted((a, b) => a.fetchedAt - b.fetchedAt || (a.digest < b.digest ? -1 : 1));
  let placed: Placed<T>[] = [];
  let rest = ordered;
  // Each part after this one needs a frame, too.
  for (const [part, after] of [
    ['training', 2],
    ['reference', 1],
  ] as const) {
    const size = Math.max(1, Math.min(Math.round(ordered.length * PART_SHARES[part]), rest.length - after));
    const taken = rest.slice(0, size);
    placed = placed.concat(taken.map((frame) => ({ ...frame, part })));
    const until = (taken.at(-1)?.fetchedAt ?? 0) + GAP_MS;
    rest = rest.slice(size).filter(({ fetchedAt, wasTrained }) => fetchedAt >= until && !wasTrained);
  }
  return [...placed, ...rest.map((frame) => ({ ...frame, part: 'test' as const }))];
}

const countParts = (placed: readonly { part: Part }[]): Record<Part, number> => {
  const counts = { training: 0, reference: 0, test: 0 };
  for (const { part } of placed) counts[part]++;
  return counts;
};

const hasAllParts = (placed: readonly { part: Part }[]): boolean =>
  parts.every((part) => placed.some((frame) => frame.part === part));
