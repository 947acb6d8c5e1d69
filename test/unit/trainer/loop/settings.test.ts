import { describe, expect, test } from 'vitest';
import { BENCHMARK_SETTINGS } from '../../../../trainer/benchmark/settings.ts';
import { AUGMENTATIONS } from '../../../../trainer/images.ts';
import { eq2Of } from '../../../../trainer/eq2-options.ts';
import { PRESETS, settingsOf } from '../../../../trainer/presets.ts';
import { requestOf } from '../../../../trainer/request.ts';
import { scheduleOf } from '../../../../trainer/schedule.ts';
import { learningRateAt } from '../../../../trainer/settings.ts';

const options = { dataset: 'pictures', out: 'run', keyFile: 'key.pem' };

describe('the learning rate', () => {
  const optimiser = { learningRate: 0.02, finalShare: 0.1, momentum: 0.9, clipNorm: 2 };

  test('falls along half a cosine from the first step to its final share', () => {
    expect(learningRateAt(optimiser, 0, 100)).toBeCloseTo(0.02, 10);
    expect(learningRateAt(optimiser, 50, 100)).toBeCloseTo(0.011, 10);
    expect(learningRateAt(optimiser, 100, 100)).toBeCloseTo(0.002, 10);
  });
});

describe('the schedule', () => {
  const level = { batch: 32, passes: 1, step: 0.1, evaluation: 0.4 };
  const input = { trainingImages: 330, levels: [level], classifierPasses: 0 };

  test('takes as many whole passes as fit into the budget, for both models together', () => {
    // 11 steps and an evaluation take 1.5 s; 30 s for two models are ten passes each.
    expect(scheduleOf({ ...input, budgetSeconds: 30 })).toMatchObject({ passes: 10, steps: 110 });
    expect(scheduleOf({ ...input, budgetSeconds: 29.9 })).toMatchObject({ passes: 9, steps: 99 });
  });

  test('takes one pass where the budget is too small for any', () => {
    expect(scheduleOf({ ...input, budgetSeconds: 0.1 })).toMatchObject({ passes: 1, steps: 11 });
  });

  test('takes the passes that were asked for where there is no budget', () => {
    const levels = [{ ...level, passes: 40 }];
    expect(scheduleOf({ ...input, levels, budgetSeconds: undefined })).toMatchObject({ passes: 40, steps: 440 });
  });

  test('stretches or shortens both levels by one factor', () => {
    // Forty passes of 1.5 s and twenty of 11.4 s are 288 s a model; half of that is allowed.
    const levels = [
      { ...level, passes: 40 },
      { ...level, passes: 20, step: 1 },
    ];
    const { phases } = scheduleOf({ ...input, levels, budgetSeconds: 288 });
    expect(phases.m0.map(({ level: of, passes }) => [of, passes])).toEqual([[1, 20], [2, 10]]); // prettier-ignore
  });

  test('gives M1 no step more for a classifier that is trained again', () => {
    const levels = [{ ...level, passes: 40 }];
    const { phases } = scheduleOf({ ...input, levels, classifierPasses: 10, budgetSeconds: undefined });
    expect(phases.m0).toEqual([{ level: 1, trains: 'level', passes: 40, steps: 440 }]);
    expect(phases.m1).toEqual([
      { level: 1, trains: 'level', passes: 30, steps: 330 },
      { level: 1, trains: 'classifier', passes: 10, steps: 110 },
    ]);
  });
});

describe('presets', () => {
  test.each(Object.keys(PRESETS))('%s can be kept in a checkpoint as it is', (name) => {
    const settings = settingsOf(name);
    expect(JSON.parse(JSON.stringify({ ...settings, stopping: settings.stopping ?? null }))).toEqual({
      ...settings,
      stopping: settings.stopping ?? null,
    });
    expect(settings.preset).toBe(name);
  });

  test('guard Eq. 2 where they are small: a floor of a quarter and 30 repeats at most', () => {
    expect(settingsOf('small').sampling.m1).toMatchObject({ sampler: 'f1-dynamic', eq2: { floor: 0.25, cap: 30 } });
    expect(settingsOf('small').sampling.m0.sampler).toBe('instance');
  });

  test('paper: neither floor nor cap, both levels, fresh views, T_r = .3, final weights', () => {
    const { sampling, levelTwo, views, fusion, stopping, finish } = settingsOf('paper');
    expect(sampling.m1).toMatchObject({ sampler: 'f1-dynamic', eq2: { form: 'constant-total', floor: 0, cap: null } });
    expect(levelTwo).toMatchObject({ batch: 32, optimiser: { learningRate: 1e-4, finalShare: 1, momentum: 0.9 } });
    expect([views, fusion, stopping, finish.calibration]).toEqual(['fresh', 'paper', undefined, 'none']);
  });

  test('of the product stop early, which final weights forbid; those of the paper do not, unless asked', () => {
    const early = { window: 3, patience: 8, earliest: 0.5 };
    expect([settingsOf('small').stopping, settingsOf('modern').stopping]).toEqual([early, early]);
    expect(settingsOf('authors-2019').stopping).toBeUndefined();
    expect(requestOf(options).settings.stopping).toEqual(early);
    expect(requestOf({ ...options, keep: 'final' }).settings.stopping).toBeUndefined();
  });

  test('modern is the mode that the benchmark judges, setting by setting', () => {
    const { batch, optimiser, passes, sampling, finish, fusion, folds } = settingsOf('modern');
    const judged = BENCHMARK_SETTINGS;
    expect({ batch, optimiser, passes, folds }).toEqual({ batch: judged.batch, optimiser: judged.optimiser, passes: judged.passes, folds: judged.folds }); // prettier-ignore
    expect(sampling.m1.eq2).toEqual(judged.eq2.modern);
    expect(finish).toEqual({ calibration: 'common-prior', tau: judged.tau, classifierPasses: 0 });
    expect(fusion).toBe('modern');
  });

  test('authors-2019 says what it does not do', () => {
    expect(settingsOf('authors-2019').sampling.m1.sampler).toBe('authors-2019');
    expect(settingsOf('authors-2019').variant).toMatch(/their sampler on the paper’s cut/);
  });

  test('that do not exist are named in words', () => {
    expect(() => settingsOf('toString')).toThrow(/no preset "toString".*small/);
  });
});

describe('Eq. 2 other than the preset’s', () => {
  const { m1 } = settingsOf('modern').sampling;

  test('changes what is named and nothing else', () => {
    expect(eq2Of('form=literal, floor=0,cap=none,ema=.5', m1)).toEqual({
      ...m1,
      eq2: { ...m1.eq2, form: 'literal', floor: 0, cap: null },
      decay: 0.5,
    });
    expect(eq2Of(undefined, m1)).toBe(m1);
  });

  test.each(['floor', 'floor=2', 'cap=0', 'form=loose', 'ema=1', 'colour=red', 'toString=1'])(
    '%s is refused in words',
    (wrong) => {
      expect(() => eq2Of(wrong, m1)).toThrow(/Eq. 2/);
    },
  );
});

test('the sampler of the authors’ program stands in the settings as it samples, and takes no other Eq. 2', () => {
  const asked = { ...options, sampler: 'authors-2019' } as const;
  expect(requestOf({ ...asked, eq2: 'ema=.5' }).settings.sampling.m1).toEqual({
    sampler: 'authors-2019',
    eq2: { form: 'constant-total', rounding: 'trunc', absent: 'zero', floor: 0, cap: null, exponent: 1 },
    decay: 0.5,
    shrinkage: 0,
  });
  expect(() => requestOf({ ...asked, eq2: 'floor=.25' })).toThrow(/only ema and shrinkage/);
});

describe('augmentation', () => {
  test('is basic unless asked, which shears by radians; keras-2.1.4 by degrees, and nothing else is different', () => {
    expect(requestOf(options).settings.augmentation).toBe('basic');
    expect(requestOf({ ...options, augmentation: 'keras-2.1.4' }).settings.augmentation).toBe('keras-2.1.4');
    const [basic, later] = [AUGMENTATIONS['basic'], AUGMENTATIONS['keras-2.1.4']];
    expect(basic).toMatchObject({ shear: 0.2, shearUnit: 'radians' });
    expect(later).toEqual({ ...basic, shearUnit: 'degrees' });
    expect(AUGMENTATIONS['none']).toBeNull();
  });
});

describe('a request', () => {
  test('needs a dataset', () => {
    expect(() => requestOf({ out: 'run', keyFile: 'key.pem' })).toThrow(/which dataset/);
  });

  test('takes what is left out from the run that it resumes, and the place of the images from the caller', () => {
    const before = requestOf({ ...options, seed: 3, threads: 2, learningRate: 0.1, budgetSeconds: 9 });
    const resumed = requestOf({ out: 'run', keyFile: 'key.pem', dataset: '/moved' }, before);
    expect(resumed).toEqual({ ...before, dataset: '/moved' });
  });

  test('takes once more what the resumed run was started with, as trainers of a fleet do', () => {
    const asked = { ...options, name: 'spring', manifest: 'parts.json', force: true, budgetSeconds: 9, augmentation: 'none' } as const; // prettier-ignore
    const before = requestOf(asked);
    expect(requestOf(asked, before)).toEqual(before);
  });

  test.each([
    ['seed', { seed: 4 }],
    ['threads', { threads: 3 }],
    ['preset', { preset: 'modern' }],
    ['kept weights', { keep: 'final' as const }],
    ['learning rate', { learningRate: 0.2 }],
    ['engine', { engine: 'tfjs-node-gpu' }],
    ['augmentation', { augmentation: 'keras-2.1.4' as const }],
    ['budget', { budgetSeconds: 60 }],
    ['no manifest', { manifest: 'parts.json' }],
    ['--force', { force: true }],
    ['no name', { name: 'harbours' }],
    ['--allow-double-correction', { allowDoubleCorrection: true }],
    ['no learning rate of level 2', { levelTwoLearningRate: 1e-5 }],
  ])('that resumes may not change the %s', (what, change) => {
    const before = requestOf({ ...options, seed: 3, threads: 2, engine: 'onnxruntime' });
    expect(() => requestOf({ ...options, ...change }, before)).toThrow(`started with ${what}`);
  });
});
