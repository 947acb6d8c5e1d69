import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { request } from 'undici';
import { afterAll, afterEach, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'farm-process-'));
const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function startProcess(...flags: string[]): ChildProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', 'scripts/camera-farm/main.ts', '--json', ...flags], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  started.push(child);
  return child;
}

const exitOf = (child: ChildProcess) => new Promise((resolve) => child.once('exit', (code) => resolve(code)));

async function readyLine(child: ChildProcess): Promise<{ ready: boolean; port: number; url: string; cameras: string }> {
  for await (const line of createInterface({ input: child.stdout! })) return JSON.parse(line) as never;
  throw new Error('The farm ended before it was ready.');
}

test('the process says when it is ready, writes the camera list and a log, and stops on SIGTERM', async () => {
  const [out, log] = [join(folder, 'cameras.csv'), join(folder, 'log.jsonl')];
  const child = startProcess('--cameras', '3', '--mjpeg', '0', '--out', out, '--log', log, '--faults', '404=1');
  const ready = await readyLine(child);
  expect(ready).toMatchObject({ ready: true, cameras: out });
  expect(readFileSync(out, 'utf8').trimEnd().split('\n')).toHaveLength(4);
  const truth = await request(`${ready.url}/truth/cam0001`);
  expect(await truth.body.json()).toMatchObject({ fault: '404' });
  const answer = await request(`${ready.url}/cam/cam0001/snapshot.jpg`);
  await answer.body.dump();
  child.kill('SIGTERM');
  expect(await exitOf(child)).toBe(0);
  expect(JSON.parse(readFileSync(log, 'utf8'))).toMatchObject({ camera: 'cam0001', status: 404, complete: true });
});

test('the process ends with the one that started it', async () => {
  const child = startProcess('--cameras', '1', '--out', join(folder, 'cameras.jsonl'));
  await readyLine(child);
  const exit = exitOf(child);
  child.stdin!.end();
  expect(await exit).toBe(0);
});

test('a wrong option ends it with the exit code of usage', async () => {
  expect(await exitOf(startProcess('--cameras', '0'))).toBe(2);
});
