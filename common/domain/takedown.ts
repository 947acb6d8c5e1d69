import { z } from 'zod';

/**
 * Somebody asked that this is not fetched any more. `host`: a name or address, and every name below it (`example.org` means
 * `cam.example.org`, too). `prefix`: everything whose URL begins so.
 */
export const takedownSchema = z.object({
  id: z.number().int().positive(),
  kind: z.enum(['host', 'prefix']),
  /** In the form in which URLs are compared: lower-case host, no usual port, no credentials. */
  value: z.string().min(1).max(2_000),
  reason: z.string().max(500),
});
export type Takedown = z.infer<typeof takedownSchema>;

/** Brings what a person writes into the form that is compared; `problem` says what is wrong with it. */
export function parseTakedown(given: string): Pick<Takedown, 'kind' | 'value'> | { problem: string } {
  const text = given.trim();
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (!url || !/^(https?|rtsps?|rtmps?):$/.test(url.protocol) || url.hostname === '') return problemOf(text);
    return { kind: 'prefix', value: comparable(url) };
  }
  const host = text.replace(/^\*\./, '').replace(/\.$/, '');
  const bare = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  const url = /^[^/?#@\s]+$/.test(bare) && URL.canParse(`http://${bare}`) ? new URL(`http://${bare}`) : undefined;
  if (!url || url.port !== '' || url.pathname !== '/') return problemOf(text);
  return { kind: 'host', value: hostOf(url) };
}

const problemOf = (text: string) => ({
  problem: `"${text.slice(0, 80)}" is neither a host nor the beginning of a URL; write it like "cams.example.org", "192.0.2.7" or "https://example.org/cameras/".`,
});

export const hostOf = (url: URL): string =>
  url.hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');

function comparable(url: URL): string {
  const port = url.port === '' ? '' : `:${url.port}`;
  const host = url.hostname.toLowerCase().replace(/\.$/, '');
  return `${url.protocol}//${host}${port}${url.pathname}${url.search}`;
}

/** The take-downs in force, looked up by host. */
export class TakedownList {
  readonly #hosts = new Map<string, Takedown>();
  readonly #prefixes = new Map<string, Takedown[]>();
  readonly size: number;

  constructor(takedowns: readonly Takedown[] = []) {
    this.size = takedowns.length;
    for (const takedown of takedowns) {
      if (takedown.kind === 'host') this.#hosts.set(takedown.value, takedown);
      else {
        const host = hostOf(new URL(takedown.value));
        this.#prefixes.set(host, [...(this.#prefixes.get(host) ?? []), takedown]);
      }
    }
  }

  /** By the host alone. */
  againstHost(host: string): Takedown | undefined {
    if (this.#hosts.size === 0) return undefined;
    let name = host.toLowerCase().replace(/^\[|\]$/g, '');
    for (;;) {
      const found = this.#hosts.get(name);
      if (found) return found;
      const dot = name.indexOf('.');
      // The last numbers of an IPv4 address are no domain.
      if (dot < 0 || /^[\d.]+$/.test(name)) return undefined;
      name = name.slice(dot + 1);
    }
  }

  /** Why this URL must not be fetched; `undefined` where it may be. */
  against(address: string | URL): Takedown | undefined {
    if (this.size === 0) return undefined;
    const url = typeof address === 'string' ? (URL.canParse(address) ? new URL(address) : undefined) : address;
    if (!url) return undefined;
    const host = hostOf(url);
    const byHost = this.againstHost(host);
    if (byHost || this.#prefixes.size === 0) return byHost;
    const text = comparable(url);
    return this.#prefixes.get(host)?.find(({ value }) => text.startsWith(value));
  }
}
