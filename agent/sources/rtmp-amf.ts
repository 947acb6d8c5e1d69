/** What a command of RTMP is made of (AMF0). Objects keep their order and their kind, so that they are written as they came. */
export type Amf =
  | { type: 'number'; value: number }
  | { type: 'boolean'; value: boolean }
  | { type: 'string'; value: string }
  | { type: 'null' }
  | { type: 'undefined' }
  | { type: 'object' | 'array'; entries: (readonly [string, Amf])[] };

const MAX_DEPTH = 16;
const MARK = { number: 0, boolean: 1, string: 2, object: 3, null: 5, undefined: 6, array: 8, end: 9, longString: 12 };

/** The values of a message, up to the first that cannot be read or is of a kind that commands do not use. */
export function readAmf(data: Buffer): Amf[] {
  const cursor = { data, at: 0 };
  const values: Amf[] = [];
  try {
    while (cursor.at < data.length) values.push(readValue(cursor, 0));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return values;
}

interface Cursor {
  data: Buffer;
  at: number;
}

function readValue(cursor: Cursor, depth: number): Amf {
  if (depth > MAX_DEPTH) throw new RangeError('too deep');
  const mark = cursor.data.readUInt8(cursor.at++);
  switch (mark) {
    case MARK.number:
      cursor.at += 8;
      return { type: 'number', value: cursor.data.readDoubleBE(cursor.at - 8) };
    case MARK.boolean:
      return { type: 'boolean', value: cursor.data.readUInt8(cursor.at++) !== 0 };
    case MARK.string:
      return { type: 'string', value: readText(cursor, 2) };
    case MARK.longString:
      return { type: 'string', value: readText(cursor, 4) };
    case MARK.null:
      return { type: 'null' };
    case MARK.undefined:
      return { type: 'undefined' };
    case MARK.object:
      return { type: 'object', entries: readEntries(cursor, depth) };
    case MARK.array:
      cursor.at += 4; // a number of entries that nobody trusts
      return { type: 'array', entries: readEntries(cursor, depth) };
    default:
      throw new RangeError(`marker ${mark}`);
  }
}

function readText(cursor: Cursor, lengthBytes: 2 | 4): string {
  const length = cursor.data.readUIntBE(cursor.at, lengthBytes);
  const from = cursor.at + lengthBytes;
  if (from + length > cursor.data.length) throw new RangeError('cut off');
  cursor.at = from + length;
  return cursor.data.toString('utf8', from, cursor.at);
}

function readEntries(cursor: Cursor, depth: number): [string, Amf][] {
  const entries: [string, Amf][] = [];
  for (;;) {
    const name = readText(cursor, 2);
    if (name === '' && cursor.data.readUInt8(cursor.at) === MARK.end) {
      cursor.at++;
      return entries;
    }
    entries.push([name, readValue(cursor, depth + 1)]);
  }
}

export function writeAmf(values: readonly Amf[]): Buffer {
  return Buffer.concat(values.map(writeValue));
}

function writeValue(value: Amf): Buffer {
  switch (value.type) {
    case 'number': {
      const bytes = Buffer.alloc(9);
      bytes.writeDoubleBE(value.value, 1);
      return bytes;
    }
    case 'boolean':
      return Buffer.from([MARK.boolean, value.value ? 1 : 0]);
    case 'string':
      return writeString(value.value);
    case 'null':
      return Buffer.from([MARK.null]);
    case 'undefined':
      return Buffer.from([MARK.undefined]);
    case 'object':
    case 'array': {
      const entries = value.entries.flatMap(([name, each]) => [writeName(name), writeValue(each)]);
      const head = Buffer.alloc(value.type === 'array' ? 5 : 1, 0);
      head[0] = MARK[value.type];
      if (value.type === 'array') head.writeUInt32BE(value.entries.length, 1);
      return Buffer.concat([head, ...entries, Buffer.from([0, 0, MARK.end])]);
    }
  }
}

function writeString(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  const long = bytes.length > 0xffff;
  const head = Buffer.alloc(long ? 5 : 3);
  head[0] = long ? MARK.longString : MARK.string;
  if (long) head.writeUInt32BE(bytes.length, 1);
  else head.writeUInt16BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function writeName(name: string): Buffer {
  const bytes = Buffer.from(name, 'utf8');
  const head = Buffer.alloc(2);
  head.writeUInt16BE(bytes.length);
  return Buffer.concat([head, bytes]);
}

/** The value with every string replaced, at any depth. */
export function mapStrings(value: Amf, change: (text: string) => string): Amf {
  if (value.type === 'string') return { type: 'string', value: change(value.value) };
  if (value.type !== 'object' && value.type !== 'array') return value;
  return { type: value.type, entries: value.entries.map(([name, each]) => [name, mapStrings(each, change)] as const) };
}

/** The text of this entry, e.g. `code` of a status; `undefined` where there is none. */
export function textIn(value: Amf | undefined, name: string): string | undefined {
  if (value?.type !== 'object' && value?.type !== 'array') return undefined;
  const entry = value.entries.find(([each]) => each === name)?.[1];
  return entry?.type === 'string' ? entry.value : undefined;
}
