import { spawn } from 'node:child_process';

/** What takes no longer than this needs no word. */
const SILENT_MS = 2_000;
/** Without a terminal a line now and then shows that it still runs. */
const REPEAT_MS = 15_000;
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

export const say = (text) => void process.stderr.write(`${text}\n`);

/** A failure with its exit code: printed as one line, without a stack. */
export class SetUpError extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * Shows on stderr (stdout belongs to results) that something runs and for how long, until the returned function is called.
 * @param {string} what e.g. "Installing packages"
 */
export function showProgress(what) {
  const startedAt = Date.now();
  const isTerminal = process.stderr.isTTY === true;
  const seconds = () => Math.round((Date.now() - startedAt) / 1000);
  let shown = false;
  let frame = 0;
  let saidAt = 0;
  const timer = setInterval(() => {
    const elapsed = Date.now() - startedAt;
    if (elapsed < SILENT_MS) return;
    if (isTerminal) process.stderr.write(`\r\x1b[K${FRAMES[frame++ % FRAMES.length]} ${what} … ${seconds()} s`);
    else if (!shown || elapsed - saidAt >= REPEAT_MS) {
      say(`${what} … ${seconds()} s`);
      saidAt = elapsed;
    }
    shown = true;
  }, 100);
  return (outcome = 'done') => {
    clearInterval(timer);
    if (shown) process.stderr.write(`${isTerminal ? '\r\x1b[K' : ''}${what}: ${outcome} after ${seconds()} s\n`);
  };
}

/** Runs a command with progress instead of its output; the output is shown only when it fails. */
export async function runQuietly(what, command, args, { cwd, env = process.env } = {}) {
  const finish = showProgress(what);
  const { code, output } = await new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
    child.once('error', (error) => resolve({ code: 127, output: String(error) }));
    child.once('close', (status, signal) => resolve({ code: status ?? signal, output: said }));
  });
  finish(code === 0 ? 'done' : 'failed');
  if (code === 0) return;
  process.stderr.write(output.slice(-8_000));
  throw new SetUpError(`${what} failed: \`${[command, ...args].join(' ')}\` ended with ${code}.`);
}
