import { expect, test } from 'vitest';
import { parseCsv } from '../../../../trainer/dataset/loaders/csv.ts';

test('CSV is read with quotes, empty fields, either line end, and with or without a last one', () => {
  expect(parseCsv('\uFEFFfile,camera\r\n"a,b.jpg","the ""big"" one"\r\n\r\nc.jpg,')).toEqual([
    ['file', 'camera'],
    ['a,b.jpg', 'the "big" one'],
    ['c.jpg', ''],
  ]);
  expect(parseCsv('a\n"two\nlines"\n')).toEqual([['a'], ['two\nlines']]);
  expect(parseCsv('')).toEqual([]);
  expect(() => parseCsv('a,b\n"open,c')).toThrow(expect.objectContaining({ code: 'DATASET_INVALID' }));
});
