import { execFile } from 'node:child_process';
import { chmod, mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SIZE = '16m';

/** A disk of 16 MB of its own. */
export class SmallDisk {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** `undefined` where this machine does not let us mount one. */
  static async mount(path: string): Promise<SmallDisk | undefined> {
    await mkdir(path, { recursive: true });
    try {
      await run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'camfleet-test', path]);
    } catch {
      return undefined;
    }
    await chmod(path, 0o711);
    return new SmallDisk(path);
  }

  /** Until so many bytes are free. */
  async fill(left: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.path);
    const bytes = Math.max(0, bavail * bsize - left);
    // A file that does not fit is written as far as it does.
    await writeFile(join(this.path, 'filling'), Buffer.alloc(bytes)).catch(() => undefined);
  }

  async empty(): Promise<void> {
    await rm(join(this.path, 'filling'), { force: true });
  }

  async unmount(): Promise<void> {
    await run('umount', ['-l', this.path]);
  }
}
