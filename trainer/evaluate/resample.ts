import type { Random } from '../sampling/random.ts';

/** Images that several splits or methods are judged on. */
export interface TestSet {
  /** True class of each image. */
  truth: readonly number[];
  /** Camera of each image, where known: its images are drawn together. */
  cameras?: readonly (string | number)[];
}

/** What is drawn as one: by class, the images of a camera, or single images. */
export type Units = readonly (readonly (readonly number[])[])[];

export function unitsOf(testSet: TestSet, classes: number): Units {
  const units: Map<string | number, number[]>[] = Array.from({ length: classes }, () => new Map());
  testSet.truth.forEach((label, i) => {
    const unit = testSet.cameras ? `camera ${testSet.cameras[i]}` : i;
    const ofClass = units[label] as Map<string | number, number[]>;
    const images = ofClass.get(unit);
    if (images) images.push(i);
    else ofClass.set(unit, [i]);
  });
  return units.map((ofClass) => [...ofClass.values()]);
}

/** Draws as many units of each class as it has, with replacement. @returns how often each image was drawn */
export function drawImages(units: Units, images: number, random: Random): Int32Array {
  const times = new Int32Array(images);
  for (const ofClass of units) {
    for (let draw = 0; draw < ofClass.length; draw++) {
      for (const i of ofClass[random.below(ofClass.length)] as readonly number[]) times[i] = (times[i] as number) + 1;
    }
  }
  return times;
}

/** Confusion matrix in which every image counts as often as it was drawn. */
export function weightedConfusion(
  truth: readonly number[],
  predicted: readonly number[],
  times: Int32Array,
  classes: number,
): number[][] {
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < truth.length; i++) {
    const row = confusion[truth[i] as number] as number[];
    const column = predicted[i] as number;
    row[column] = (row[column] as number) + (times[i] as number);
  }
  return confusion;
}
