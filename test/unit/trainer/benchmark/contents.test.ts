import { expect, test } from 'vitest';
import { contentsOf } from '../../../../trainer/benchmark/models.ts';
import { settingsOf } from '../../../../trainer/presets.ts';

test('results of the Basic CNN lie under all that the row takes of its preset, and under nothing that it does not', () => {
  const { batch, optimiser, input, augmentation } = settingsOf('small');
  // Sampling, stopping and fusion are the benchmark's own.
  expect(contentsOf('small')).toEqual({ network: 'basic-cnn', batch, optimiser, input, augmentation });
});
