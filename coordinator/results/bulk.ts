import { arrayParameter } from '../platform/database/array-parameter.ts';
import type { ElementType } from '../platform/database/array-parameter.ts';

/** How a column travels: `instant` is ms in JavaScript and timestamptz in PostgreSQL. */
type Kind = Exclude<ElementType, 'double precision'> | 'json' | 'jsonb' | 'instant';

/** Column name → property and kind; the properties are those of the objects that are written and read. */
export type Columns = Readonly<Record<string, readonly [property: string, kind: Kind]>>;

const entries = (columns: Columns): [string, string, Kind][] =>
  Object.entries(columns).map(([column, [property, kind]]) => [column, property, kind]);

const isJson = (kind: Kind): boolean => kind === 'json' || kind === 'jsonb';

/** JSON travels as text: inside one large JSON parameter PostgreSQL would read each of its values three times. */
const typeOf = (kind: Kind): ElementType => {
  if (kind === 'instant') return 'double precision';
  return kind === 'json' || kind === 'jsonb' ? 'text' : kind;
};

/** Rows of any number as one array a column, the parameters that `arraysOf` gives. */
export function recordset(columns: Columns): string {
  const arrays = entries(columns).map(([, , kind], index) => `$${index + 1}::${typeOf(kind)}[]`);
  const names = entries(columns).map(([, property]) => `"${property}"`);
  return `unnest(${arrays.join(', ')}) as r(${names.join(', ')})`;
}

/** The rows as parameters of `recordset`, one array a column. */
export function arraysOf(columns: Columns, rows: readonly object[]): Buffer[] {
  return entries(columns).map(([, property, kind]) => {
    const values = rows.map((row) => (row as Record<string, unknown>)[property]);
    return arrayParameter(typeOf(kind), isJson(kind) ? values.map(textOf) : values);
  });
}

const textOf = (value: unknown): string | null =>
  value === null || value === undefined ? null : JSON.stringify(value);

/** The columns of the table, for `insert into t (…)`. */
export const columnList = (columns: Columns): string => Object.keys(columns).join(', ');

/** The record's fields in the columns' order and types. */
export const valueList = (columns: Columns): string =>
  entries(columns)
    .map(([, property, kind]) => {
      if (kind === 'instant') return `instant_of_ms(r."${property}")`;
      return isJson(kind) ? `r."${property}"::${kind}` : `r."${property}"`;
    })
    .join(', ');

/** Reads columns under their property names, instants as ms. */
export const readList = (columns: Columns): string =>
  entries(columns)
    .map(([column, property, kind]) => `${kind === 'instant' ? `ms_of_instant(${column})` : column} as "${property}"`)
    .join(', ');

/** `set a = excluded.a, …` for all columns but these. */
export const overwrite = (columns: Columns, ...but: string[]): string =>
  Object.keys(columns)
    .filter((column) => !but.includes(column))
    .map((column) => `${column} = excluded.${column}`)
    .join(', ');

export const insertRows = (table: string, columns: Columns): string =>
  `insert into ${table} (${columnList(columns)}) select ${valueList(columns)} from ${recordset(columns)}`;
