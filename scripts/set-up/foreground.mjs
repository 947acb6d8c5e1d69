import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** On Ctrl-C the terminal and npm each send us a signal; to the user it is one. */
const SAME_SIGNAL_MS = 300;
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs the command as if it were us: its streams are ours, each signal that we get reaches it exactly once (it runs in a
 * process group of its own, because a second one means "faster" to it), and we end when it ends.
 * @returns {Promise<number>} its exit code; 128 + number where a signal ended it
 */
export function runInForeground(command, args, { cwd, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: 'inherit', detached: true });
    const sentAt = new Map();
    const forward = (signal) => {
      const now = Date.now();
      if (now - (sentAt.get(signal) ?? 0) < SAME_SIGNAL_MS) return;
      sentAt.set(signal, now);
      child.kill(signal);
    };
    for (const signal of FORWARDED) process.on(signal, forward);
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      for (const name of FORWARDED) process.off(name, forward);
      resolve(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}
