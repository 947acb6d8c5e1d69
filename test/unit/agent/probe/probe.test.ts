import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { probeDisk } from '../../../../agent/probe/disk.ts';
import { describeProbe, probeClock, probeInference, probeMachine } from '../../../../agent/probe/probe.ts';

async function testFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'camfleet-probe-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

test('the machine is looked at in a moment: processor, memory, disk, descriptors, ffmpeg; and says what it can take', async () => {
  const began = performance.now();
  const { items, capacity } = await probeMachine({ dataFolder: await testFolder(), workers: 1 });
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(items.map(({ name }) => name)).toEqual(['cpu', 'memory', 'disk', 'file descriptors', 'ffmpeg']);
  expect(items.every(({ found }) => found !== '')).toBe(true);
  expect(capacity).toBeGreaterThanOrEqual(1);
  expect(items[0]?.found).toContain(`about ${capacity} attempts a second`);
  // What is wrong says how to mend it, and nothing else does.
  expect(items.map(({ ok, mend }) => ok === (mend === undefined))).not.toContain(false);
});

test('a data folder that cannot be written is a cross with the mend', async () => {
  const file = join(await testFolder(), 'file');
  await writeFile(file, '');
  const item = await probeDisk(join(file, 'data'));
  expect(describeProbe([item])).toEqual([expect.stringMatching(/^✗ disk: .*cannot be written .* --data$/)]);
});

test('clocks and models are told with their figures, and with the mend where they are bad', () => {
  expect(describeProbe([probeClock(-1_200, 3), probeInference(25)])).toEqual([
    '✓ clock: 1.2 s behind the coordinator (± 3 ms)',
    '✓ inference: 25.0 ms a picture, 40 a second',
  ]);
  expect(describeProbe([probeClock(31_000, 3), probeInference(2_000)])).toEqual([
    expect.stringMatching(/^✗ clock: 31 s ahead .*NTP/),
    expect.stringMatching(/^✗ inference: 2000\.0 ms a picture.*smaller model/),
  ]);
});
