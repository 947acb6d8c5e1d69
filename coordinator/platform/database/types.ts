import pg from 'pg';
import { AppError } from '../../../common/runtime/errors.ts';

const { builtins } = pg.types;
/** Arrays have no names in `pg`. */
const ARRAY_OF_INT8 = 1016;
const ARRAY_OF_NUMERIC = 1231;

/** Counters and keys stay far below 2^53; one that does not is refused rather than rounded. */
function parseInteger(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  throw new AppError('DATABASE_NUMBER', `${text} is beyond the integers that a number holds exactly; read it as text.`);
}

/** An array literal of numbers: no quoting, nulls possible. */
const parseNumbers =
  (parse: (text: string) => number) =>
  (literal: string): (number | null)[] =>
    literal === '{}'
      ? []
      : literal
          .slice(1, -1)
          .split(',')
          .map((item) => (item === 'NULL' ? null : parse(item)));

const OURS: Record<number, (text: string) => unknown> = {
  [builtins.INT8]: parseInteger,
  [ARRAY_OF_INT8]: parseNumbers(parseInteger),
  // Sums of bigint are numeric.
  [builtins.NUMERIC]: Number,
  [ARRAY_OF_NUMERIC]: parseNumbers(Number),
  // A day stays the text "2026-11-24"; `pg` would make it midnight in this machine's zone.
  [builtins.DATE]: (text) => text,
};

/** `int8` and `numeric` are numbers, `date` is text, `timestamptz` is a `Date` (ms). The rest is as in `pg`. */
export const columnTypes: pg.CustomTypesConfig = {
  getTypeParser: ((id: number, format?: 'text' | 'binary') =>
    (format !== 'binary' && OURS[id]) || pg.types.getTypeParser(id, format)) as typeof pg.types.getTypeParser,
};
