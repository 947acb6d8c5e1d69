import { argMax, decidingHead } from '../../common/domain/model.ts';
import type { Rows } from '../evaluate/probabilities.ts';

export interface FusionParameters {
  /** R_j of each class. */
  ratios: readonly number[];
  /** T_r */
  threshold: number;
}

/** Eq. 3 for every image: the winning class of the head that decides. */
export function fusedPredictions(m0: Rows, m1: Rows, fusion: FusionParameters): number[] {
  return m0.map((row, i) => {
    const other = m1[i] as ArrayLike<number>;
    return argMax(decidingHead(row, other, fusion) === 'm0' ? row : other);
  });
}

/** Mean of two models' probabilities: the control that the paper lacks, for M0 and M1 or for two M0 of different seeds. */
export function meanScores(first: Rows, second: Rows): Float64Array[] {
  return first.map((row, i) => {
    const other = second[i] as ArrayLike<number>;
    return Float64Array.from(row, (score, j) => (score + (other[j] as number)) / 2);
  });
}
