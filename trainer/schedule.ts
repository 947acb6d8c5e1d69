/** How long both models train; decided once, before the first step, and equal for M0 and M1. */
export interface Schedule {
  /** Passes over the training part. */
  passes: number;
  /** Of each model. */
  steps: number;
  /** Measured before the start; later estimates use what the run itself takes. */
  secondsPerStep: number;
  secondsPerEvaluation: number;
}

export interface ScheduleInput {
  trainingImages: number;
  batch: number;
  budgetSeconds: number;
  /** Asked for instead of the budget. */
  passes: number | null;
  secondsPerStep: number;
  secondsPerEvaluation: number;
  models: number;
}

/** Steps that are timed before a run. */
export const TIMED_STEPS = 20;

/** As many whole passes as fit into the budget, at least one; each ends with an evaluation. */
export function scheduleOf(input: ScheduleInput): Schedule {
  const { trainingImages, batch, budgetSeconds, secondsPerStep, secondsPerEvaluation, models } = input;
  const stepsPerPass = Math.ceil(trainingImages / batch);
  const secondsPerPass = stepsPerPass * secondsPerStep + secondsPerEvaluation;
  const fitting = Math.max(1, Math.floor(budgetSeconds / (models * secondsPerPass)));
  const passes = input.passes ?? fitting;
  return { passes, steps: passes * stepsPerPass, secondsPerStep, secondsPerEvaluation };
}
