import { verdictOf } from '../evaluate/bootstrap.ts';
import type { PairedDifference, Verdict } from '../evaluate/bootstrap.ts';
import type { FigureName } from './judge.ts';

/** What a row must reach against M0, both figures at once. */
export interface Bar {
  row: string;
  macroF1: number;
  accuracy: number;
}

/** The paper's method may be read in two ways; the product has one mode. */
export const BARS: readonly Bar[] = [
  { row: 'proposed-searched', macroF1: 0.02, accuracy: -0.02 },
  { row: 'proposed-.3', macroF1: 0.02, accuracy: -0.02 },
  { row: 'modern', macroF1: 0.03, accuracy: -0.015 },
];

export interface JudgedBar extends Bar {
  verdict: Verdict;
  figures: Record<'macroF1' | 'accuracy', PairedDifference & { verdict: Verdict }>;
}

export function judgeBar(bar: Bar, differences: Readonly<Record<string, PairedDifference>>): JudgedBar | undefined {
  const { macroF1, accuracy } = differences;
  if (!macroF1 || !accuracy) return undefined;
  const figures = {
    macroF1: { ...macroF1, verdict: verdictOf(macroF1, bar.macroF1) },
    accuracy: { ...accuracy, verdict: verdictOf(accuracy, bar.accuracy) },
  };
  const both = [figures.macroF1.verdict, figures.accuracy.verdict];
  const verdict = both.includes('missed') ? 'missed' : both.includes('undecided') ? 'undecided' : 'met';
  return { ...bar, figures, verdict };
}

/** A sentence of the paper's Table 1: one row above another. */
export interface Claim {
  words: string;
  better: string;
  than: string;
  figure: FigureName;
  /** Difference in the paper. */
  paper: number;
}

const claim = (words: string, better: string, than: string, figure: FigureName, paper: number): Claim => ({ words, better, than, figure, paper }); // prettier-ignore

export const CLAIMS: readonly Claim[] = [
  claim('Basic augmentation raises accuracy', 'm0', 'no-aug', 'accuracy', 0.027),
  claim('Basic augmentation raises macro F1', 'm0', 'no-aug', 'macroF1', 0.07),
  claim('Balanced augmentation raises macro F1 above basic', 'balanced', 'm0', 'macroF1', 0.051),
  claim('… and costs accuracy', 'm0', 'balanced', 'accuracy', 0.033),
  claim('The SVM has a larger macro F1 than TL without augmentation', 'svm', 'no-aug', 'macroF1', 0.096),
  claim('TL without augmentation is more accurate than the SVM', 'no-aug', 'svm', 'accuracy', 0.019),
  claim('A network from scratch is far behind', 'm0', 'basic-cnn', 'macroF1', 0.248),
  claim(
    'The proposed method has the largest macro F1: above balanced',
    'proposed-searched',
    'balanced',
    'macroF1',
    0.046,
  ),
  claim('… above M0', 'proposed-searched', 'm0', 'macroF1', 0.097),
  claim('… and the largest accuracy: above M0', 'proposed-searched', 'm0', 'accuracy', 0.01),
];

export type ClaimVerdict = 'confirmed' | 'contradicted' | 'undecided' | 'not run';

export function judgeClaim(difference: PairedDifference | undefined): ClaimVerdict {
  if (!difference) return 'not run';
  if (difference.lower > 0) return 'confirmed';
  return difference.upper < 0 ? 'contradicted' : 'undecided';
}
