import { AppError } from '../../common/runtime/errors.ts';
import { loadBackbone } from '../backbone/backbone.ts';
import type { Backbone } from '../backbone/backbone.ts';
import { backbonesOf, listBackbones } from '../backbone/folder.ts';
import { calibrationPictures } from '../export/calibration-pictures.ts';
import { CALIBRATION_PICTURES, POOLING, quantiseBackbone } from '../export/quantise-backbone.ts';
import type { PairedDifference, Verdict } from '../evaluate/bootstrap.ts';
import type { BenchmarkData } from './data.ts';
import { compare, figureNames, mainGround, meanFigures } from './judge.ts';
import type { FigureName, Figures, Judge, RunOutcome } from './judge.ts';
import type { BenchmarkOptions, Hooks } from './options.ts';
import { BASELINE, ROWS } from './rows.ts';

/** Rows that are trained anew on the 8-bit trunk: what an agent runs, and the models that it is made of. */
export const INT8_ROWS: readonly string[] = [BASELINE, 'proposed-.3', 'proposed-searched', 'modern'];

/** What Avg F1 may lose on average, and the most that the upper 95 % limit of that loss may be. */
export const INT8_BAR = { loss: 0.005, upper: 0.01 };

/** Every class alike, and a few more than a sound calibration needs. */
const PICTURES = CALIBRATION_PICTURES + 4;

/** One row on both trunks. */
export interface Int8Row {
  row: string;
  title: string;
  runs: number;
  fp32: Figures;
  int8: Figures;
  /** 8-bit minus fp32, paired over runs. */
  difference: Record<FigureName, PairedDifference>;
  /** Of the bar on Avg F1. */
  verdict: Verdict;
  /** One line, for the terminal. */
  words: string;
}

export interface Int8Report {
  backbone: string;
  /** Pictures that set the ranges. */
  pictures: number;
  rows: Int8Row[];
}

/**
 * The backbone's 8-bit form, made once a folder. Its ranges come from the training part of the first split of the first profile;
 * for other splits that may include pictures of their test parts, without labels, and never of the balanced test set.
 *
 * @throws AppError `BENCHMARK_OPTIONS`, `CALIBRATION_…`, `QUANTISE_…`
 */
export async function openInt8(
  { backbone, profiles }: BenchmarkData,
  { out, threads }: Pick<BenchmarkOptions, 'out' | 'threads'>,
  hooks: Hooks,
): Promise<Backbone> {
  if (backbone.manifest.identity.precision === 'int8') {
    throw new AppError(
      'BENCHMARK_OPTIONS',
      `The trunk of ${backbone.name} has 8 bits already; --trunk int8 compares the fp32 one with what it makes of it.`,
    );
  }
  const root = backbonesOf(out);
  const made = (await listBackbones(root)).find(({ manifest: { identity } }) => {
    const { from, images, method } = identity.quantised ?? {};
    return from === backbone.digest && images !== undefined && images >= 1 && method?.endsWith(POOLING) === true;
  });
  if (made) return loadBackbone(made.folder);
  const [profile] = profiles;
  const dataset = profile?.splits[0];
  if (!dataset) throw new RangeError('A benchmark has at least one profile.');
  hooks.onStage('decodes pictures to calibrate the 8-bit trunk on');
  const pictures = await calibrationPictures(dataset, backbone, { count: PICTURES, seed: 1 });
  return quantiseBackbone(backbone, pictures, {
    root,
    threads,
    now: new Date(hooks.clock.now()),
    onProgress: (done, all) => hooks.onProgress('calibrates the 8-bit trunk', done, all, NaN),
  });
}

/** Both trunks beside one another, on the runs that have a row on both. */
export function compareTrunks(
  backbone: Backbone,
  { fp32, int8 }: { fp32: readonly RunOutcome[]; int8: readonly RunOutcome[] },
  judge: Judge,
): Int8Report {
  const ground = mainGround(judge);
  const rows = INT8_ROWS.flatMap((row): Int8Row[] => {
    const runs = fp32.flatMap((run, i): RunOutcome[] => {
      const [a, b] = [run.rows[row], int8[i]?.rows[row]];
      return a && b ? [{ ...run, rows: { fp32: a, int8: b } }] : [];
    });
    if (runs.length === 0) return [];
    const found = compare(runs, { baseline: 'fp32', rows: ['int8'], ground }, judge)['int8'];
    const difference = Object.fromEntries(figureNames.map((name) => [name, found?.[name]])) as Int8Row['difference'];
    return [
      {
        ...{ row, title: ROWS[row]?.title ?? row, runs: runs.length },
        fp32: meanFigures(runs, 'fp32', ground, judge),
        int8: meanFigures(runs, 'int8', ground, judge),
        difference,
        verdict: judgeLoss(difference.macroF1),
        words: inWords(row, difference.macroF1, runs.length),
      },
    ];
  });
  return { backbone: backbone.describe(), pictures: backbone.manifest.identity.quantised?.images ?? 0, rows };
}

/** Met by the mean and the upper limit of the loss; missed where even its lower limit is above what may be lost. */
export function judgeLoss({ mean, lower, upper }: Pick<PairedDifference, 'mean' | 'lower' | 'upper'>): Verdict {
  if (-mean <= INT8_BAR.loss && -lower <= INT8_BAR.upper) return 'met';
  return -upper > INT8_BAR.loss ? 'missed' : 'undecided';
}

function inWords(row: string, difference: PairedDifference, runs: number): string {
  const { mean, lower, upper } = difference;
  const [loss, least, most] = [-mean, -upper, -lower].map((value) => value.toFixed(4));
  return (
    `8-bit trunk, ${row}: loss of Avg F1 ${loss}, 95 % limits ${least} to ${most}, ${runs} paired runs ` +
    `(at most ${INT8_BAR.loss}, upper limit at most ${INT8_BAR.upper}): ${judgeLoss(difference)}`
  );
}
