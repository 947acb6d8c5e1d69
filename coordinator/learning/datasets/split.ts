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
  /** What training parts of earlier snapshots have of its camera: the time (ms) of the newest frame by label; `null` for nothing. */
  trainedAs: Readonly<Record<string, number>> | null;
}

export type Placed<T extends Drawn> = T & { part: Part };
type ClassSummary = Dataset['classes'][number];

/** Scenes change little within some minutes: frames of two parts that are nearer would be near copies. */
const GAP_MS = 600_000;

/**
 * Puts every frame into a part. By camera where that gives a class all three parts; else the frames of cameras that show no other
 * class are split by time, with a gap; where there are too few for that they stay with their cameras and the class is not
 * evaluable. So a camera is in two parts with one class only. Left out are frames inside a gap, and frames to be judged on whose
 * camera was trained on before: by camera at all, by time as another class or within the gap. Classes come in the byte order of
 * their names.
 */
export function splitFrames<T extends Drawn>(drawn: readonly T[]): { placed: Placed<T>[]; classes: ClassSummary[] } {
  const byLabel = new Map<string, T[]>();
  for (const frame of drawn) {
    const own = byLabel.get(frame.label);
    if (own) own.push(frame);
    else byLabel.set(frame.label, [frame]);
  }
  const labels = [...byLabel.keys()].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const showsOneClass = camerasOfOneClass(drawn);
  const split = labels.map((label) => ({ label, ...splitClass(byLabel.get(label) as T[], showsOneClass) }));
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

/** Of the drawn frames. */
function camerasOfOneClass(drawn: readonly Drawn[]): ReadonlySet<number> {
  const first = new Map<number, string>();
  const several = new Set<number>();
  for (const { cameraId, label } of drawn) {
    const before = first.get(cameraId);
    if (before === undefined) first.set(cameraId, label);
    else if (before !== label) several.add(cameraId);
  }
  return new Set([...first.keys()].filter((id) => !several.has(id)));
}

function splitClass<T extends Drawn>(
  frames: readonly T[],
  showsOneClass: ReadonlySet<number>,
): { how: ClassSummary['split']; placed: Placed<T>[] } {
  const byCamera = placeByCamera(frames);
  if (hasAllParts(byCamera)) return { how: 'camera', placed: byCamera };
  const isFree = ({ cameraId }: Drawn): boolean => showsOneClass.has(cameraId);
  const byTime = [
    ...splitByTime(frames.filter(isFree)),
    // In another part than its other classes a camera would be judged on what it taught.
    ...placeByCamera(frames.filter((frame) => !isFree(frame))),
  ];
  return hasAllParts(byTime) ? { how: 'time', placed: byTime } : { how: 'not-evaluable', placed: byCamera };
}

const placeByCamera = <T extends Drawn>(frames: readonly T[]): Placed<T>[] =>
  frames
    .filter(({ cameraPart, trainedAs }) => cameraPart === 'training' || trainedAs === null)
    .map((frame) => ({ ...frame, part: frame.cameraPart }));

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
    rest = rest.slice(size).filter((frame) => frame.fetchedAt >= until && isNew(frame));
  }
  return [...placed, ...rest.map((frame) => ({ ...frame, part: 'test' as const }))];
}

/** Whether no earlier snapshot taught another class by its camera, or its own class by a frame that is as new. */
const isNew = ({ label, fetchedAt, trainedAs }: Drawn): boolean =>
  Object.entries(trainedAs ?? {}).every(([trained, until]) => trained === label && fetchedAt >= until + GAP_MS);

const countParts = (placed: readonly { part: Part }[]): Record<Part, number> => {
  const counts = { training: 0, reference: 0, test: 0 };
  for (const { part } of placed) counts[part]++;
  return counts;
};

const hasAllParts = (placed: readonly { part: Part }[]): boolean =>
  parts.every((part) => placed.some((frame) => frame.part === part));
