import type { QueryResult, QueryResultRow } from 'pg';
import { AppError } from '../../../common/runtime/errors.ts';
import { asDatabaseError } from './errors.ts';

/** A statement with a name is prepared once a connection: for those that run all day. Make it with `statement`. */
export interface Statement {
  name: string;
  text: string;
}

/** Names must be unique in the whole program: room, dot, verb, e.g. `leases.renew`. */
export const statement = (name: string, text: string): Statement => ({ name, text });

export type Sql = string | Statement;

/** What repositories ask for; a database and a transaction both are. */
export interface Queryable {
  query<Row extends QueryResultRow = QueryResultRow>(sql: Sql, params?: readonly unknown[]): Promise<Outcome<Row>>;
  /** All rows. */
  many<Row extends QueryResultRow>(sql: Sql, params?: readonly unknown[]): Promise<Row[]>;
  /** The only row; rejects with `DATABASE_ROWS` where there is none or more. */
  one<Row extends QueryResultRow>(sql: Sql, params?: readonly unknown[]): Promise<Row>;
  /** The only row or `undefined`; rejects with `DATABASE_ROWS` where there are more. */
  maybeOne<Row extends QueryResultRow>(sql: Sql, params?: readonly unknown[]): Promise<Row | undefined>;
}

export interface Outcome<Row> {
  rows: Row[];
  /** Rows returned, inserted, updated or deleted. */
  rowCount: number;
}

/** The part of `pg`'s pool and client that we use. */
export interface QueryTarget {
  query(config: { name?: string; text: string; values: unknown[] }): Promise<QueryResult>;
}

export class Queries implements Queryable {
  readonly #target: QueryTarget;

  constructor(target: QueryTarget) {
    this.#target = target;
  }

  async query<Row extends QueryResultRow = QueryResultRow>(
    sql: Sql,
    params: readonly unknown[] = [],
  ): Promise<Outcome<Row>> {
    const { name, text } = typeof sql === 'string' ? { name: undefined, text: sql } : sql;
    try {
      const result = await this.#target.query({ ...(name !== undefined && { name }), text, values: [...params] });
      return { rows: result.rows as Row[], rowCount: result.rowCount ?? 0 };
    } catch (error) {
      throw asDatabaseError(error);
    }
  }

  async many<Row extends QueryResultRow>(sql: Sql, params?: readonly unknown[]): Promise<Row[]> {
    return (await this.query<Row>(sql, params)).rows;
  }

  async one<Row extends QueryResultRow>(sql: Sql, params?: readonly unknown[]): Promise<Row> {
    const row = await this.maybeOne<Row>(sql, params);
    if (row === undefined) throw wrongRows(sql, 0, 'exactly one');
    return row;
  }

  async maybeOne<Row extends QueryResultRow>(sql: Sql, params?: readonly unknown[]): Promise<Row | undefined> {
    const { rows } = await this.query<Row>(sql, params);
    if (rows.length > 1) throw wrongRows(sql, rows.length, 'at most one');
    return rows[0];
  }
}

function wrongRows(sql: Sql, found: number, expected: string): AppError {
  const text = (typeof sql === 'string' ? sql : sql.name).replaceAll(/\s+/g, ' ').trim();
  return new AppError('DATABASE_ROWS', `Expected ${expected} row, found ${found}: ${text.slice(0, 200)}`);
}
