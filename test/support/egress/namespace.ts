import { spawnSync } from 'node:child_process';
import { startProcess } from '../processes.ts';
import type { TestProcess } from '../processes.ts';

/**
 * A network namespace of its own has no way out, and here every address leads back to its own loopback interface: whoever
 * connects to 10.1.2.3 or 8.8.8.8 reaches a server of the test, which sees that it was contacted. Nothing leaves the machine.
 */
const SCRIPT =
  'ip link set lo up && ip route add local 0.0.0.0/0 dev lo && ip -6 route add local ::/0 dev lo && exec "$@"';

const words = (command: readonly string[]): string[] => {
  // Everybody else needs a namespace of users for it, which some systems forbid.
  const flags = process.getuid?.() === 0 ? ['-n'] : ['-r', '-n'];
  return [...flags, 'sh', '-c', SCRIPT, 'sh', ...command];
};

/** Why there is no such namespace here; `undefined` where there is. */
export function missingForNamespace(): string | undefined {
  const { status } = spawnSync('unshare', words(['true']), { stdio: 'ignore' });
  return status === 0
    ? undefined
    : 'no network namespaces: needs Linux with unshare and ip, IPv6, and the right to them';
}

/** Starts a program of the tests in such a namespace. */
export const startEverywhere = (program: string): TestProcess =>
  startProcess('unshare', { args: words([process.execPath, '--import', 'tsx', program]), endAfterTest: false });
