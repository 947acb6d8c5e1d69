import type { LookupAddress } from 'node:dns';
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';

const LOOPBACK: LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

/** `NaN` where there is no such file. */
export function modifiedAt(path: string): number {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return NaN;
  }
}

/** The names that this machine gives addresses itself, `localhost` among them. */
export class HostsFile {
  readonly #path: string;
  #names = new Map<string, LookupAddress[]>();
  #modified = NaN;

  constructor(path: string) {
    this.#path = path;
  }

  find(name: string): LookupAddress[] | undefined {
    return this.#names.get(name) ?? (name === 'localhost' || name.endsWith('.localhost') ? LOOPBACK : undefined);
  }

  /** Reads it again if it changed: a small local file. */
  refresh(): void {
    const modified = modifiedAt(this.#path);
    if (Object.is(modified, this.#modified)) return;
    this.#modified = modified;
    try {
      this.#names = parseHosts(readFileSync(this.#path, 'utf8'));
    } catch {
      this.#names = new Map();
    }
  }
}

export function parseHosts(text: string): Map<string, LookupAddress[]> {
  const hosts = new Map<string, LookupAddress[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const family = isIP(address);
    if (family === 0) continue;
    for (const name of names) {
      const addresses = hosts.get(name.toLowerCase()) ?? [];
      hosts.set(name.toLowerCase(), addresses);
      // IPv4 first, otherwise in the order of the file.
      addresses.splice(family === 4 ? addresses.filter((one) => one.family === 4).length : addresses.length, 0, {
        address,
        family,
      });
    }
  }
  return hosts;
}
