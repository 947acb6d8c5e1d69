/** How a column travels: `instant` is ms in JavaScript and timestamptz in PostgreSQL. */
type Kind = 'uuid' | 'int' | 'bigint' | 'real' | 'boolean' | 'text' | 'json' | 'jsonb' | 'date' | 'instant';

/** Column name → property and kind; the properties are those of the objects that are written and read. */
export type Columns = Readonly<Record<string, readonly [property: string, kind: Kind]>>;

const entries = (columns: Columns): [string, string, Kind][] =>
  Object.entries(columns).map(([column, [property, kind]]) => [column, property, kind]);

const sqlType = (kind: Kind): string => (kind === 'instant' ? 'double precision' : kind);

/** `json_to_recordset` over one parameter: rows of any number as a single JSON text, which `pg` need not escape. */
export function recordset(columns: Columns, parameter = '$1'): string {
  const fields = entries(columns).map(([, property, kind]) => `"${property}" ${sqlType(kind)}`);
  return `json_to_recordset(${parameter}::json) as r(${fields.join(', ')})`;
}

/** The columns of the table, for `insert into t (…)`. */
export const columnList = (columns: Columns): string => Object.keys(columns).join(', ');

/** The record's fields in the columns' order and types. */
export const valueList = (columns: Columns): string =>
  entries(columns)
    .map(([, property, kind]) => (kind === 'instant' ? `instant_of_ms(r."${property}")` : `r."${property}"`))
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
