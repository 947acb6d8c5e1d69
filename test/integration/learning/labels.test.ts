import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LabelImportOptions } from '../../../coordinator/learning/labels/import.ts';
import { DAY_MS, LearningBench } from './support.ts';

let bench: LearningBench;
beforeEach(async () => {
  bench = await LearningBench.create();
});
afterEach(() => bench.drop());

const importText = (text: string, options: LabelImportOptions = {}) =>
  bench.labels.import(Readable.from([Buffer.from(text)]), 'import by anna', options);
const labelsOf = async () =>
  (await bench.labels.list({ after: 0, limit: 100 })).labels.map(({ digest, label, labelledBy }) => ({
    ...{ digest, label, labelledBy },
  }));

describe('the header of a camera', () => {
  test('labels its good frames where its source is trusted', async () => {
    const camera = await bench.camera();
    const digest = await bench.frame(camera, bench.now - 1_000, { sceneLabel: ' highway ' });
    expect(await labelsOf()).toEqual([{ digest, label: 'highway', labelledBy: 'farm' }]);
    expect(await bench.partOf(camera)).toBe('training');
  });

  test("of a stranger's camera, or beside a bad picture, labels nothing", async () => {
    await bench.frame(await bench.camera('stranger'), bench.now - 1_000, { sceneLabel: 'highway' });
    await bench.frame(await bench.camera(), bench.now - 900, { sceneLabel: 'highway', verdict: 'black' });
    await bench.frame(await bench.camera(), bench.now - 800, { sceneLabel: '\u202e\u202e' });
    expect(await labelsOf()).toEqual([]);
    expect(await bench.labels.counts()).toEqual({ frames: 0, good: 0, classes: [] });
  });
});

describe('a file of labels', () => {
  test('names frames by digest, and by camera and time; what cannot be used is reported with its line', async () => {
    const [camera, other] = [await bench.camera('study'), await bench.camera('study')];
    const at = Date.parse('2026-07-01T10:00:00Z');
    await bench.database.query('update memberships set from_at = $1', ['2026-01-01']);
    await bench.database.query('update grants set from_at = $1', ['2026-01-01']);
    const first = await bench.frame(camera, at);
    const second = await bench.frame(other, at + 600);
    const found = await bench.database.one<{ name: string }>(
      'select source_camera_id as name from cameras where id = $1',
      [other],
    );
    const text = [
      'digest,camera,time,label',
      `${first.toUpperCase()},,,Parking   lot`,
      `,${found.name},2026-07-01 12:00:01,beach`,
      `,${camera},2026-07-01T10:00:02Z,beach`,
      `,${camera},2026-02-30T10:00:00Z,beach`,
      `,999999,2026-07-01T10:00:00Z,beach`,
      `${'0'.repeat(64)},,,beach`,
      `${first},,, `,
      `${first},,,harbour`,
      `,,,beach`,
    ].join('\r\n');
    const report = await importText(text, { timeZone: 'Europe/Berlin' });
    expect(report).toMatchObject({ read: 9, added: 2, changed: 0, unchanged: 0, rejected: 7 });
    const reasons = report.rejections.toSorted((a, b) => a.line - b.line);
    expect(reasons.map(({ line }) => line)).toEqual([4, 5, 6, 7, 8, 9, 10]);
    for (const [index, words] of [
      /within 1 s/,
      /no such time/,
      /no camera "999999"/,
      /no frame 0000/,
      /label is empty/,
      /same frame as line 2/,
      /expected the columns/,
    ].entries()) {
      expect(reasons[index]?.reason).toMatch(words);
    }
    expect(await labelsOf()).toEqual([
      { digest: first, label: 'Parking lot', labelledBy: 'import by anna' },
      { digest: second, label: 'beach', labelledBy: 'import by anna' },
    ]);
  });

  test('labels anew and keeps what was said before; the same again changes nothing', async () => {
    const digest = await bench.frame(await bench.camera(), bench.now - 1_000, { sceneLabel: 'street' });
    const again = `{"digest":"${digest}","label":"highway"}\n`;
    expect(await importText(again)).toMatchObject({ added: 0, changed: 1, unchanged: 0 });
    expect(await importText(again)).toMatchObject({ added: 0, changed: 0, unchanged: 1 });
    const { labels } = await bench.labels.list({ after: 0, limit: 10, history: true });
    expect(labels).toMatchObject([
      { label: 'street', labelledBy: 'farm' },
      { label: 'highway', labelledBy: 'import by anna', replacedAt: null },
    ]);
    expect(labels[0]?.replacedAt).not.toBeNull();
  });

  test('without --timezone rejects times without offset, and times that clocks showed twice or never', async () => {
    const camera = await bench.camera();
    expect((await importText(`camera,time,label\n${camera},2026-07-01 10:00:00,a\n`)).rejections[0]?.reason).toMatch(
      /no offset/,
    );
    const both = `camera,time,label\n${camera},2026-10-25 02:30:00,a\n${camera},2026-03-29 02:30:00,a\n`;
    const { rejections } = await importText(both, { timeZone: 'Europe/Berlin' });
    expect(rejections.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/showed twice/),
      expect.stringMatching(/jumped over/),
    ]);
    await expect(importText(both, { timeZone: 'Europe/Atlantis' })).rejects.toMatchObject({
      code: 'LABEL_TIME_INVALID',
    });
  });

  test('that breaks off, or is none, changes nothing', async () => {
    const digest = await bench.frame(await bench.camera('study'), bench.now - 1_000);
    await expect(importText(`[{"digest":"${digest}","label":"street"},`)).rejects.toMatchObject({
      code: 'IMPORT_FILE_INVALID',
    });
    await expect(importText('')).rejects.toMatchObject({ code: 'IMPORT_EMPTY_INVALID' });
    expect(await labelsOf()).toEqual([]);
  });
});

describe('the part of a camera', () => {
  test('is what its class lacks most, and stays when its label changes', async () => {
    const cameras: number[] = [];
    for (let n = 0; n < 10; n++) cameras.push(await bench.labelledCamera('street', [0]));
    const parts = await Promise.all(cameras.map((id) => bench.partOf(id)));
    expect(parts.slice(0, 3)).toEqual(['training', 'test', 'reference']);
    const count = (part: string): number => parts.filter((one) => one === part).length;
    expect([count('training'), count('reference'), count('test')]).toEqual([7, 1, 2]);
    const [first] = (await bench.labels.list({ after: 0, limit: 1 })).labels;
    await bench.labels.set(first?.digest ?? '', 'harbour', 'anna');
    expect(await bench.partOf(first?.cameraId ?? 0)).toBe('training');
    expect(await bench.labels.counts()).toMatchObject({
      frames: 10,
      classes: [
        { label: 'harbour', cameras: 1, parts: { training: 1, reference: 0, test: 0 } },
        { label: 'street', cameras: 9, parts: { training: 6, reference: 1, test: 2 } },
      ],
    });
  });

  test('is decided by one at a time, however many labels arrive together', async () => {
    const cameras = await Promise.all(Array.from({ length: 6 }, () => bench.camera('study')));
    const digests: string[] = [];
    for (const camera of cameras) digests.push(await bench.frame(camera, bench.now - DAY_MS));
    await Promise.all(digests.map((digest) => bench.labels.set(digest, 'bridge', 'anna')));
    const parts = await Promise.all(cameras.map((id) => bench.partOf(id)));
    expect(parts.toSorted()).toEqual(['reference', 'test', 'training', 'training', 'training', 'training']);
  });

  test('of a file comes from its rarest class', async () => {
    for (let n = 0; n < 3; n++) await bench.labelledCamera('street', [0]);
    const camera = await bench.camera('study');
    const frames = [
      await bench.frame(camera, bench.now - 3 * DAY_MS),
      await bench.frame(camera, bench.now - 2 * DAY_MS),
    ];
    await importText(`digest,label\n${frames[0]},street\n${frames[1]},volcano\n`);
    const sql = 'select part, label from camera_parts where camera_id = $1';
    expect(await bench.database.one(sql, [camera])).toEqual({ part: 'training', label: 'volcano' });
  });
});
