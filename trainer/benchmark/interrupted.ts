import { AppError } from '../../common/runtime/errors.ts';

/** What was computed before is kept and found again. */
export const interrupted = (): AppError =>
  new AppError(
    'BENCHMARK_INTERRUPTED',
    'The benchmark was stopped; everything that was finished is kept. Start it again with the same --out to go on.',
  );
