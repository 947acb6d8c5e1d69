import { AppError } from '../../common/runtime/errors.ts';
import type { Rows } from '../evaluate/probabilities.ts';

/** Probabilities of both models for the same images, and what the images show. */
export interface ScoredImages {
  m0: Rows;
  m1: Rows;
  /** True class of each image. */
  truth: readonly number[];
}

/** @throws AppError `FUSION_INPUT` where there is nothing to judge by or the lists do not fit together */
export function checkScored(images: ScoredImages, classes: number): void {
  const { m0, m1, truth } = images;
  if (truth.length === 0) {
    throw new AppError(
      'FUSION_INPUT',
      'A fusion rule needs labelled images to choose by, got none; label reference images.',
    );
  }
  const fits = m0.length === truth.length && m1.length === truth.length;
  if (!fits || m0[0]?.length !== classes || m1[0]?.length !== classes) {
    throw new AppError(
      'FUSION_INPUT',
      `Both models must score all ${truth.length} images in ${classes} classes, got ${m0.length} × ${m0[0]?.length} and ${m1.length} × ${m1[0]?.length}.`,
    );
  }
}
