/**
 * F1 of each class from a confusion matrix of the reference part (row: true class), `null` for a class without images there:
 * (2·TP + a) / (2·TP + FP + FN + 2·a). The shrinkage a pulls the F1 of classes with few images towards ½; 0 is plain F1.
 */
export function referenceF1(confusion: readonly (readonly number[])[], shrinkage = 0): (number | null)[] {
  return confusion.map((row, j) => {
    const images = row.reduce((sum, count) => sum + count, 0);
    if (images === 0) return null;
    const predicted = confusion.reduce((sum, other) => sum + (other[j] as number), 0);
    // Here 2·TP + FP + FN = images + predicted.
    return (2 * (row[j] as number) + shrinkage) / (images + predicted + 2 * shrinkage);
  });
}

/**
 * Exponential moving average over iterations: decay·previous + (1 − decay)·current. A class whose F1 is undefined now keeps its
 * previous value, one without a previous value starts at the current one. A decay of 0 smooths nothing.
 */
export function smoothF1(
  previous: readonly (number | null)[] | null,
  current: readonly (number | null)[],
  decay: number,
): (number | null)[] {
  return current.map((now, j) => {
    const before = previous?.[j] ?? null;
    if (before === null || now === null) return now ?? before;
    return decay * before + (1 - decay) * now;
  });
}
