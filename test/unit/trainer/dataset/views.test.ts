import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sha256 } from '../../../../common/storage/digest.ts';
import { fromHalves, toHalves } from '../../../../trainer/dataset/half.ts';
import { ViewStore, viewsPerClass } from '../../../../trainer/dataset/views.ts';

const trunk = sha256('a trunk');
const image = (i: number) => sha256(`image ${i}`);
const vector = (i: number, length = 6) => Float32Array.from({ length }, (_, j) => i + j / 8);

describe('the number of views', () => {
  test('is what balance needs, from 4 to 32', () => {
    // N* = 100: ⌈100/390⌉ = 1 → 4; ⌈100/12⌉ = 9; ⌈100/3⌉ = 34 → 32.
    expect(viewsPerClass([390, 12, 3, 0, 95])).toEqual([4, 9, 32, 0, 4]);
  });
});

describe('half precision', () => {
  test('keeps every half as it is', () => {
    const finite = Uint16Array.from({ length: 65_536 }, (_, bits) => bits).filter((bits) => (bits & 0x7c00) !== 0x7c00);
    const values = new Float32Array(finite.length);
    fromHalves(finite, values);
    expect(toHalves(values)).toEqual(finite);
  });

  test('rounds to the nearest half, ties to even', () => {
    const cases: [number, number][] = [
      [1 + 2 ** -11, 1],
      [1 + 3 * 2 ** -11, 1 + 2 ** -9],
      [1 + 2 ** -11 + 2 ** -20, 1 + 2 ** -10],
      [2047.9, 2048],
      [65_519, 65_504],
      [65_520, Infinity],
      [2 ** -24, 2 ** -24],
      [2 ** -25, 0],
      [1.5 * 2 ** -24, 2 ** -23],
      [-0.1, -0.0999755859375],
    ];
    const decoded = new Float32Array(cases.length);
    fromHalves(toHalves(Float32Array.from(cases, ([value]) => value)), decoded);
    expect([...decoded]).toEqual(cases.map(([, half]) => half));
  });
});

describe('the store of views', () => {
  let folder: string;
  let opened: ViewStore[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'camfleet-views-'));
    opened = [];
  });
  afterEach(() => {
    for (const store of opened) store.close();
    rmSync(folder, { recursive: true });
  });
  const open = (precision: 'float16' | 'float32' = 'float16', length = 6) => {
    const store = new ViewStore(folder, { trunk, length, precision });
    opened.push(store);
    return store;
  };
  const file = (ending: string) => join(folder, readdirSync(folder).find((name) => name.endsWith(ending)) as string);

  test.each(['float16', 'float32'] as const)(
    'gives back in %s what was put, also after opening it again',
    (precision) => {
      const store = open(precision);
      for (let i = 0; i < 5; i++) for (let view = 0; view < 3; view++) store.put(image(i), view, vector(10 * i + view));
      store.put(image(0), 0, vector(99));
      store.flush();
      for (const reader of [store, open(precision)]) {
        expect(reader.size).toBe(15);
        expect(reader.get(image(3), 2)).toEqual(vector(32));
        expect(reader.get(image(0), 0)).toEqual(vector(0));
        expect(reader.get(image(3), 3)).toBeUndefined();
        expect(reader.has(image(9), 0)).toBe(false);
      }
    },
  );

  test('goes on where a crash cut a record in two', () => {
    const store = open();
    for (let i = 0; i < 4; i++) store.put(image(i), 0, vector(i));
    truncateSync(file('.views'), 3 * 12 + 5);
    appendFileSync(file('.index'), Buffer.alloc(7));
    const again = open();
    expect(again.size).toBe(3);
    again.put(image(7), 0, vector(7));
    expect(open().get(image(7), 0)).toEqual(vector(7));
    expect(open().get(image(2), 0)).toEqual(vector(2));
    expect(statSync(file('.index')).size).toBe(4 * 40);
  });

  test('does not mix trunks, lengths or precisions', () => {
    open('float16').put(image(0), 0, vector(0));
    expect(open('float32').size).toBe(0);
    expect(open('float16', 7).size).toBe(0);
    const other = new ViewStore(folder, { trunk: sha256('another trunk'), length: 6, precision: 'float16' });
    opened.push(other);
    expect(other.size).toBe(0);
  });

  test('notices numbers that changed on disk', () => {
    open().put(image(0), 0, vector(0));
    const numbers = file('.views');
    rmSync(numbers);
    writeFileSync(numbers, Buffer.alloc(12, 1));
    expect(() => open().get(image(0), 0)).toThrow(expect.objectContaining({ code: 'VIEWS_DAMAGED' }));
  });

  test('refuses what its precision cannot hold, and wrong lengths', () => {
    const store = open();
    expect(() => store.put(image(0), 0, vector(0).fill(70_000, 2, 3))).toThrow(
      expect.objectContaining({ code: 'VIEW_NOT_FINITE' }),
    );
    expect(() => store.put(image(0), 0, vector(0).fill(NaN, 2, 3))).toThrow(
      expect.objectContaining({ code: 'VIEW_NOT_FINITE' }),
    );
    expect(() => store.put(image(0), 0, vector(0, 5))).toThrow(expect.objectContaining({ code: 'VIEW_INVALID' }));
    expect(store.size).toBe(0);
  });

  test.skipIf(!existsSync('/dev/full'))('says so when the disk is full (needs /dev/full)', () => {
    open().close();
    opened = [];
    const numbers = file('.views');
    rmSync(numbers);
    symlinkSync('/dev/full', numbers);
    const store = open();
    expect(() => store.put(image(0), 0, vector(0))).toThrow(
      expect.objectContaining({ code: 'DISK_FULL', message: expect.stringContaining('Free some space') }),
    );
    expect(store.has(image(0), 0)).toBe(false);
  });
});
