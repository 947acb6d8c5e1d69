import type { Dataset } from '../../../common/domain/dataset.ts';

/** Valid labels of good frames: what a snapshot can have. */
export interface LabelCounts {
  good: number;
  classes: readonly { label: string; good: number }[];
}

export interface ReadinessRules {
  /** Labels since the last run before the schedule trains again. */
  minimumNew: number;
  /** Classes with at least so many labelled frames count. */
  minimumPerClass: number;
}

/** Why the schedule does not train now; `undefined` where it may. */
export function whyNotReady(
  counts: LabelCounts,
  fresh: number,
  { minimumNew, minimumPerClass }: ReadinessRules,
): string | undefined {
  if (fresh < minimumNew) return `${fresh} new labels, ${minimumNew} are waited for`;
  const classes = counts.classes.filter(({ good }) => good >= minimumPerClass).length;
  if (classes >= 2) return undefined;
  return `${classes} classes have ${minimumPerClass} labelled frames or more, two are needed`;
}

/** Why nothing can be learnt or judged from a snapshot; `undefined` where something can. */
export function whyNotTrainable({ name, classes }: Dataset): string | undefined {
  const usable = classes.filter(({ counts }) => counts.training > 0 && counts.test > 0).length;
  const hasReference = classes.some(({ counts }) => counts.reference > 0);
  if (usable >= 2 && hasReference) return undefined;
  const lack =
    usable < 2 ? `${usable} classes with both training and test images, and two are needed` : 'no reference image';
  return `The snapshot ${name} has ${lack}; label frames of more cameras of each class, then make another snapshot.`;
}
