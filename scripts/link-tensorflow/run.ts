import { spawn } from 'node:child_process';
import { AppError } from '../../common/runtime/errors.ts';

/** Half of what people take for a halt. */
const SILENT_MS = 1_000;
/** Without a terminal a line now and then shows that it still runs. */
const REPEAT_MS = 15_000;

export interface RunOptions {
  /** Shown while it runs, with the seconds that it has taken; nothing is shown where absent. */
  progress?: string;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}

export interface Outcome {
  code: number | string;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end, whatever that is; a command that cannot start ends with 127. */
export async function run(
  command: string,
  args: readonly string[],
  { progress, ...options }: RunOptions = {},
): Promise<Outcome> {
  const finish = progress === undefined ? () => {} : showProgress(progress);
  const outcome = await new Promise<Outcome>((resolve) => {
    const child = spawn(command, [...args], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', (error) => resolve({ code: 127, stdout, stderr: String(error) }));
    child.once('close', (code, signal) => resolve({ code: code ?? signal ?? 'nothing', stdout, stderr }));
  });
  finish();
  return outcome;
}

/** As `run`, but anything other than 0 throws `code` with `advice` and the end of what the command said. */
export async function runOrThrow(
  command: string,
  args: readonly string[],
  { code, advice, ...options }: RunOptions & { code: string; advice: string },
): Promise<string> {
  const outcome = await run(command, args, options);
  if (outcome.code === 0) return outcome.stdout;
  const said = `${outcome.stdout}\n${outcome.stderr}`.trim().slice(-4_000);
  throw new AppError(code, `\`${[command, ...args].join(' ')}\` ended with ${outcome.code}. ${advice}\n${said}`);
}

/** On stderr, because stdout belongs to results. What takes no longer than a blink needs no word. */
function showProgress(what: string): () => void {
  const startedAt = Date.now();
  const isTerminal = process.stderr.isTTY;
  let saidAt = 0;
  const say = (): void => {
    const line = `${what} … ${Math.round((Date.now() - startedAt) / 1000)} s`;
    process.stderr.write(isTerminal ? `\r\x1b[K${line}` : `${line}\n`);
    saidAt = Date.now();
  };
  const timer = setInterval(() => {
    if (isTerminal || saidAt === 0 || Date.now() - saidAt >= REPEAT_MS) say();
  }, SILENT_MS);
  return () => {
    clearInterval(timer);
    if (saidAt === 0) return;
    say();
    if (isTerminal) process.stderr.write('\n');
  };
}
