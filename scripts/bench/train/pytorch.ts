import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The same step in PyTorch, in a process that waits for its turn. */
export interface PyTorch {
  version: string;
  step(): Promise<void>;
  close(): Promise<void>;
}

/** @returns undefined where `python` does not start or has no PyTorch */
export async function openPyTorch(
  python: string,
  { threads, classes, images }: { threads: number; classes: number; images: number },
): Promise<PyTorch | undefined> {
  const script = fileURLToPath(new URL('step.py', import.meta.url));
  const child = spawn(python, [script, ...[threads, classes, images].map(String)], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = once(child, 'close').catch(() => undefined);
  // A process that is gone shows by its end; writing to it must not end this one.
  child.stdin.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async () => ((await lines.next()) as { value?: string }).value;
  const [word, version] = (await nextLine())?.split(' ') ?? [];
  if (word !== 'ready') {
    await ended;
    return undefined;
  }
  return {
    version: version ?? 'unknown',
    step: async () => {
      child.stdin.write('step\n');
      if ((await nextLine()) === undefined) throw new Error('PyTorch ended in the middle of the benchmark.');
    },
    close: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
