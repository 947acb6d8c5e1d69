import type { Evaluation } from '../../../common/domain/training.ts';
import type { PromoteRule, Standing } from '../../../common/protocol/training.ts';

export interface Candidate {
  rule: PromoteRule;
  version: string;
  /** The fused model on the test part. */
  fused: Evaluation;
  /** Version in force now, and whether a training run made it. */
  inForce: { version: string; trained: boolean } | null;
  /** What was in force, on the same test part. */
  standing: Standing | null;
  /** By how much macro F1 may be lower all the same: a newer model has seen more cameras, and small test parts are noisy. */
  margin: number;
}

/** Whether a finished model goes into force, and why, in words for the page and for `training show`. */
export function decidePromotion({ rule, version, fused, inForce, standing, margin }: Candidate): {
  promote: boolean;
  why: string;
} {
  if (rule === 'never') return { promote: false, why: 'registered only: the run did not ask for more' };
  if (rule === 'always') return { promote: true, why: 'put in force, as the run asked' };
  if (inForce?.version === version) return { promote: true, why: 'in force already' };
  if (inForce === null) return { promote: true, why: 'put in force: the first model' };
  if (!inForce.trained) {
    return {
      promote: false,
      why: 'registered only: an imported model is in force, which training replaces only when asked',
    };
  }
  if (standing?.version !== inForce.version) {
    return { promote: false, why: 'registered only: it was not compared with the model that is in force now' };
  }
  const figures = `macro F1 ${fused.macroF1.toFixed(3)} against ${standing.evaluation.macroF1.toFixed(3)} on the same ${fused.images} test images`;
  return fused.macroF1 >= standing.evaluation.macroF1 - margin
    ? { promote: true, why: `put in force: ${figures}` }
    : { promote: false, why: `registered only: ${figures}` };
}
