import { AppError } from '../../../common/runtime/errors.ts';

/**
 * Arrays as parameters in PostgreSQL's binary form. As text `pg` would quote each element and PostgreSQL undo it: for JSON, which
 * is full of quotes, that costs more than everything else about a row.
 */
export type ElementType = 'boolean' | 'int' | 'bigint' | 'real' | 'double precision' | 'text' | 'uuid';

interface Element {
  oid: number;
  /** Bytes that the value takes. */
  size(value: unknown): number;
  write(buffer: Buffer, value: unknown, at: number): void;
}

const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;
const NULL_LENGTH = -1;
const TWO_32 = 2 ** 32;
const MOST_INT = 2 ** 31 - 1;

/** The code is PostgreSQL's own for a number that its column cannot hold. */
function outOfRange(value: unknown, type: ElementType): AppError {
  return new AppError('22003', `${String(value)} is out of range for type ${type}`);
}

function writeInt(buffer: Buffer, value: unknown, at: number): void {
  const number = value as number;
  if (!Number.isInteger(number) || number > MOST_INT || number < -MOST_INT - 1) throw outOfRange(value, 'int');
  buffer.writeInt32BE(number, at);
}

function writeBigint(buffer: Buffer, value: unknown, at: number): void {
  const number = value as number;
  if (!Number.isSafeInteger(number)) throw outOfRange(value, 'bigint');
  const high = Math.floor(number / TWO_32);
  buffer.writeInt32BE(high, at);
  buffer.writeUInt32BE(number - high * TWO_32, at + 4);
}

function writeReal(buffer: Buffer, value: unknown, at: number): void {
  const number = value as number;
  const nearest = Math.fround(number);
  if (Number.isFinite(number) && (!Number.isFinite(nearest) || (nearest === 0 && number !== 0))) {
    throw outOfRange(value, 'real');
  }
  buffer.writeFloatBE(nearest, at);
}

function writeUuid(buffer: Buffer, value: unknown, at: number): void {
  if (buffer.write((value as string).replaceAll('-', ''), at, 'hex') !== 16) {
    throw new AppError('22P02', `"${String(value)}" is not a uuid`);
  }
}

const ELEMENTS: Readonly<Record<ElementType, Element>> = {
  boolean: { oid: 16, size: () => 1, write: (buffer, value, at) => void (buffer[at] = value === true ? 1 : 0) },
  int: { oid: 23, size: () => 4, write: writeInt },
  bigint: { oid: 20, size: () => 8, write: writeBigint },
  real: { oid: 700, size: () => 4, write: writeReal },
  'double precision': {
    ...{ oid: 701, size: () => 8 },
    write: (buffer, value, at) => void buffer.writeDoubleBE(value as number, at),
  },
  text: {
    oid: 25,
    size: (value) => Buffer.byteLength(value as string),
    write: (buffer, value, at) => void buffer.write(value as string, at),
  },
  uuid: { oid: 2950, size: () => 16, write: writeUuid },
};

/**
 * The values (`null` and `undefined` are null) as one parameter for `$n::TYPE[]`. Throws with PostgreSQL's codes of class 22 where
 * the type cannot hold a value.
 */
export function arrayParameter(type: ElementType, values: readonly unknown[]): Buffer {
  const { oid, size, write } = ELEMENTS[type];
  let [bytes, nulls] = [HEADER_BYTES, 0];
  const sizes = values.map((value) => {
    const length = value === null || value === undefined ? NULL_LENGTH : size(value);
    bytes += LENGTH_BYTES + Math.max(0, length);
    if (length === NULL_LENGTH) nulls = 1;
    return length;
  });
  const buffer = Buffer.allocUnsafe(bytes);
  // Dimensions, whether there are nulls, the elements' type; of the only dimension its length and where its indexes begin.
  for (const [index, word] of [1, nulls, oid, values.length, 1].entries()) buffer.writeInt32BE(word, index * 4);
  let at = HEADER_BYTES;
  for (let index = 0; index < sizes.length; index++) {
    const length = sizes[index] as number;
    buffer.writeInt32BE(length, at);
    at += LENGTH_BYTES;
    if (length === NULL_LENGTH) continue;
    write(buffer, values[index], at);
    at += length;
  }
  return buffer;
}
