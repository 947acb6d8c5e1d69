import type { Loss } from './loss.ts';
import { effectivePrior } from './prior.ts';

const scaledLogs = (sizes: readonly number[], tau: number): Float32Array =>
  Float32Array.from(effectivePrior(sizes), (share) => tau * Math.log(share));

/** Balanced softmax (Ren et al., NeurIPS 2020): logits + ln prior in the loss, plain logits when it serves. */
export const balancedSoftmax: Loss = {
  priorCorrected: true,
  terms: ({ sizes }) => ({ logPriors: scaledLogs(sizes, 1) }),
};

/** Logit-adjusted loss (Menon et al., ICLR 2021): logits + τ · ln prior. */
export const logitAdjusted: Loss = {
  priorCorrected: true,
  terms: ({ sizes, tau }) => ({ logPriors: scaledLogs(sizes, tau) }),
};
