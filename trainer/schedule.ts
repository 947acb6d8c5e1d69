import type { TrainedRun } from '../common/domain/training.ts';
import { trainedRuns } from '../common/domain/training.ts';

/** A stretch of a model's training with one set of trainable layers; momentum begins anew in each. */
export interface Phase {
  level: 1 | 2;
  /** `classifier`: the last layer alone, from anew (cRT). */
  trains: 'level' | 'classifier';
  /** Passes over the training part. */
  passes: number;
  steps: number;
}

/** How long both models train; decided once, before the first step, and as many steps for M0 as for M1. */
export interface Schedule {
  /** Passes over the training part, all phases of a model together. */
  passes: number;
  /** Of each model. */
  steps: number;
  phases: Record<TrainedRun, Phase[]>;
  /** Of each level, measured before the start; later estimates use what the run itself takes. */
  seconds: Record<number, StepSeconds>;
}

export interface StepSeconds {
  step: number;
  evaluation: number;
}

export interface ScheduleInput {
  trainingImages: number;
  /** Level 1, then perhaps level 2. */
  levels: readonly ({ batch: number; passes: number } & StepSeconds)[];
  /** `undefined`: the passes as they are; else they only say how the levels share these seconds. */
  budgetSeconds: number | undefined;
  /** Last passes of M1 that train its last layer alone. */
  classifierPasses: number;
}

/** Steps that are timed before a run. */
export const TIMED_STEPS = 20;

/**
 * The passes as they are given; with a budget as many whole ones as fit, at least one, where two levels are stretched or shortened
 * by one factor. Each pass ends with an evaluation.
 */
export function scheduleOf({ trainingImages, levels, budgetSeconds, classifierPasses }: ScheduleInput): Schedule {
  const stepsPerPass = (batch: number): number => Math.ceil(trainingImages / batch);
  const once = levels.reduce(
    (sum, { batch, passes, step, evaluation }) => sum + passes * (stepsPerPass(batch) * step + evaluation),
    0,
  );
  const factor = budgetSeconds === undefined ? 1 : budgetSeconds / (trainedRuns.length * once);
  const passes = levels.map((level) => Math.max(1, Math.floor(level.passes * factor)));
  const phases = levels.map(({ batch }, i): Phase => {
    const count = passes[i] as number;
    return { level: (i + 1) as 1 | 2, trains: 'level', passes: count, steps: count * stepsPerPass(batch) };
  });
  const sum = (of: (phase: Phase) => number): number => phases.reduce((total, phase) => total + of(phase), 0);
  return {
    passes: sum((phase) => phase.passes),
    steps: sum((phase) => phase.steps),
    phases: { m0: phases, m1: withClassifier(phases, classifierPasses) },
    seconds: Object.fromEntries(levels.map(({ step, evaluation }, i) => [i + 1, { step, evaluation }])),
  };
}

/** The last passes of the last level go to the classifier, so that M1 takes no step more. */
function withClassifier(phases: readonly Phase[], passes: number): Phase[] {
  const last = phases.at(-1) as Phase;
  const given = Math.min(passes, last.passes - 1);
  if (given <= 0) return [...phases];
  const steps = (last.steps / last.passes) * given;
  return [
    ...phases.slice(0, -1),
    { ...last, passes: last.passes - given, steps: last.steps - steps },
    { ...last, trains: 'classifier', passes: given, steps },
  ];
}
