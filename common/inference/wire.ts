import protobuf from 'protobufjs';

/** One field of a protobuf message. */
export interface WireField {
  number: number;
  /** The content of texts, bytes and messages; the bytes of the number for the others. */
  value: Buffer;
  /** The whole field with its tag, to be written again as it is. */
  whole: Buffer;
  /** The numbers in a repeated whole-number field, packed or not. */
  packed(): number[];
}

const LENGTH_DELIMITED = 2;

/** Splits a message without knowing its schema. @throws where the bytes are no protobuf message */
export function readFields(bytes: Uint8Array): WireField[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reader = protobuf.Reader.create(buffer);
  const fields: WireField[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const tag = reader.uint32();
    const isDelimited = (tag & 7) === LENGTH_DELIMITED;
    let from = reader.pos;
    if (isDelimited) {
      const length = reader.uint32();
      from = reader.pos;
      reader.skip(length);
    } else {
      reader.skipType(tag & 7);
    }
    const value = buffer.subarray(from, reader.pos);
    fields.push({
      number: tag >>> 3,
      value,
      whole: buffer.subarray(start, reader.pos),
      packed: () => varints(value),
    });
  }
  return fields;
}

function varints(bytes: Buffer): number[] {
  const reader = protobuf.Reader.create(bytes);
  const numbers: number[] = [];
  while (reader.pos < reader.len) numbers.push(Number(reader.int64()));
  return numbers;
}

/** The whole number in a field; 0 where it is absent, as protobuf means it. */
export const varintOf = (field: WireField | undefined): number => (field ? (varints(field.value)[0] ?? 0) : 0);

export function writeField(writer: protobuf.Writer, number: number, bytes: Uint8Array): void {
  writer.uint32((number << 3) | LENGTH_DELIMITED).bytes(bytes);
}

export function writeText(writer: protobuf.Writer, number: number, text: string): void {
  writer.uint32((number << 3) | LENGTH_DELIMITED).string(text);
}
