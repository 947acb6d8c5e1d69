import type { CleanMemory } from '../../common/domain/frame.ts';
import { edgesOf, onesIn } from '../../common/domain/perceptual-hash.ts';
import { unlikeness, unlikenessShifted } from './fingerprints.ts';
import { without } from './habits.ts';

// What happens to a camera without making it ill: pure functions over its memory.

/** What is known of a picture that shows a scene. */
export interface View {
  hash: string;
  /** Grey values. */
  mean: number;
  stdev: number;
  /** Fine detail as a share of all contrast. */
  detail: number;
  at: number;
  /** When the picture before it was seen, ms. */
  beforeAt: number | undefined;
  /** Its edges as `edgesOfPhases` gives them; asked for when a step has lasted, which is seldom. */
  phases?: () => readonly string[];
}

/** Between two pictures: beyond this it is another view; traffic, people and clouds stay far below. */
const OTHER_VIEW = 0.7;
/** Nearer than this to the view before, it came back. */
const SAME_VIEW = 0.62;
/** Light switched on or off, and the sun behind a cloud, change the brightness together with the view. */
const SAME_LIGHT = { mean: 20, contrast: 1.35 };
/** With fewer edges than this, as by night, two pictures of one scene may have none in common. */
const LEAST_EDGES = 16;
/** A longer time between two pictures is enough for dusk. */
const STEP_MS = 20 * 60_000;
/** It must stay so: a lorry or an operator who turns the camera for a look goes again. */
const STAYS = { pictures: 6, ms: 3 * 60_000 };
/** Of the same view, turned: so much of what overlaps must agree. Of two different scenes one pair in twenty does. */
const TURNED = 0.55;
/** How long an event is told with the camera's attempts, so that it is not missed. */
const TELL_MS = 15 * 60_000;

/** Learns one more picture. `known` is the memory with the last picture's hash; the result is an object of its own. */
export function observeView(known: CleanMemory, view: View): CleanMemory {
  const next: CleanMemory = {
    ...known,
    hash: view.hash,
    mean: Math.round(view.mean),
    contrast: Math.round(view.stdev),
  };
  const stepped = observeStep(known, view, next);
  if (view.mean >= BRIGHT_MEAN) observeDetail(stepped, view);
  return stepped;
}

function observeStep(known: CleanMemory, view: View, next: CleanMemory): CleanMemory {
  const { step } = known;
  if (known.hash === undefined) return next;
  const [before, now] = [edgesOf(known.hash), edgesOf(view.hash)];
  // By night nothing is decided.
  if (onesIn(before) < LEAST_EDGES || onesIn(now) < LEAST_EDGES) return next;
  const jumped = unlikeness(before, now) > OTHER_VIEW;
  if (jumped) {
    // Jumps that follow each other are a camera on tour: each begins anew, none comes to an end.
    const isBack = step !== undefined && unlikeness(step.before, now) < SAME_VIEW;
    return isBack || !isStep(known, view)
      ? without(next, ['step'])
      : { ...next, step: { before, at: view.at, stays: 0 } };
  }
  if (step === undefined) return next;
  if (unlikeness(step.before, now) < SAME_VIEW) return without(next, ['step']);
  const stays = step.stays + 1;
  if (stays < STAYS.pictures || view.at - step.at < STAYS.ms) return { ...next, step: { ...step, stays } };
  const isTurned = (view.phases?.() ?? [now]).some((edges) => unlikenessShifted(step.before, edges) < TURNED);
  const kind = isTurned ? 'moved' : 'scene';
  return { ...without(next, ['step']), event: { kind, at: step.at, foundAt: view.at } };
}

function isStep({ mean, contrast }: CleanMemory, view: View): boolean {
  if (mean === undefined || contrast === undefined || view.beforeAt === undefined) return false;
  const ratio = (view.stdev + 1) / (contrast + 1);
  return (
    view.at - view.beforeAt <= STEP_MS &&
    Math.abs(view.mean - mean) <= SAME_LIGHT.mean &&
    ratio < SAME_LIGHT.contrast &&
    ratio > 1 / SAME_LIGHT.contrast
  );
}

/** Detail is learned over so many pictures, a day and a night of most cameras being more. */
const DETAIL_WINDOW = 256;
const DETAIL_NEEDED = 40;
/** A third of the usual detail for so many pictures in a row, over so long: fog and rain do not last, or take the contrast, too. */
const BLURRED = { share: 0.33, pictures: 40, ms: 3 * 3_600_000 };

/** Noise and lamps have a detail of their own: only pictures this bright are compared. */
const BRIGHT_MEAN = 70;

function observeDetail(memory: CleanMemory, { detail, at }: View): void {
  const known = memory.detail ?? { mean: detail, count: 0 };
  const isLow = known.count >= DETAIL_NEEDED && detail < known.mean * BLURRED.share;
  if (!isLow) {
    const count = Math.min(DETAIL_WINDOW, known.count + 1);
    const mean = known.mean + (detail - known.mean) / count;
    memory.detail = { mean: Math.round(mean * 1e4) / 1e4, count };
    return;
  }
  const low = { since: known.low?.since ?? at, pictures: (known.low?.pictures ?? 0) + 1 };
  memory.detail = { mean: known.mean, count: known.count, low };
  if (low.pictures < BLURRED.pictures || at - low.since < BLURRED.ms) return;
  const { event } = memory;
  // Each stretch is told once, and not before what is news of another kind has been told.
  const isTold = event?.kind === 'blurred' && event.at === low.since;
  const isNews = event !== undefined && at - event.foundAt <= TELL_MS;
  if (!isTold && !isNews) memory.event = { kind: 'blurred', at: low.since, foundAt: at };
}

/** What is told of an event, while it is news: `{ movedAt }`, `{ sceneAt }` or `{ blurredAt }`. */
export function eventEvidence({ event }: CleanMemory, at: number): Record<string, number> {
  return event !== undefined && at - event.foundAt <= TELL_MS ? { [`${event.kind}At`]: event.at } : {};
}
