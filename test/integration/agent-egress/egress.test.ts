import { resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { WAY_NAMES, WAYS } from '../../support/egress/attempts.ts';
import type { Report, Seen } from '../../support/egress/everywhere.ts';
import { missingForNamespace, startEverywhere } from '../../support/egress/namespace.ts';
import { DETOURS, NAMES, OTHER_SCHEMES, ROWS, SPELLINGS } from '../../support/egress/table.ts';

const PROGRAM = resolve(import.meta.dirname, '../../support/egress/everywhere.ts');
const missing = missingForNamespace();
const unspecified: Record<string, string> = { '0.0.0.0': '127.0.0.1', '::': '::1', '::ffff:0.0.0.0': '127.0.0.1' };
/** Each direct way, each by a name (the probe is a command: its names are the machine's), and each detour. */
const TRIES = 7 + 5 + Object.keys(DETOURS).length;

/** How the kernel writes the address that a connection to this one ends at. */
function contactOf(address: string): string {
  const bare = unspecified[address] ?? address;
  if (!bare.includes(':')) return bare;
  const written = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(written);
  if (!mapped) return written;
  const [high, low] = [parseInt(mapped[1]!, 16), parseInt(mapped[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

describe.skipIf(missing !== undefined)(`what an agent contacts (${missing ?? 'in a network of its own'})`, () => {
  let report: Report;

  beforeAll(async () => {
    const program = startEverywhere(PROGRAM);
    expect(await program.exit(120_000), program.tail()).toBe(0);
    report = JSON.parse(program.stdout) as Report;
  }, 130_000);

  describe('addresses, straight, by name and behind every detour', () => {
    const refused = ROWS.filter(({ reason }) => reason !== null);

    test.each(refused)('$address is refused: $reason', ({ address, reason }) => {
      const { byDefault } = report.addresses[address]!;
      expect(Object.keys(byDefault)).toHaveLength(TRIES);
      for (const [way, seen] of Object.entries(byDefault))
        expect(seen, way).toEqual({ result: 'SOURCE_BLOCKED', reason, contacts: [] });
    });

    test.each(refused)('$address is contacted where $range is allowed', ({ address, unreachable }) => {
      const { allowed } = report.addresses[address]!;
      expect(Object.keys(allowed)).toHaveLength(TRIES);
      if (!unreachable) return expectContact(allowed, contactOf(address));
      for (const [way, seen] of Object.entries(allowed))
        expect(seen, way).toEqual({ result: 'SOURCE_REFUSED', contacts: [] });
    });

    test.each(ROWS.filter(({ reason }) => reason === null))('$address is public, and contacted', ({ address }) => {
      expectContact(report.addresses[address]!.byDefault, contactOf(address));
    });

    /** At this address and no other, by every way. */
    function expectContact(tried: Record<string, Seen>, contact: string): void {
      for (const [way, seen] of Object.entries(tried)) expect(seen.contacts, way).toEqual([contact]);
      for (const way of WAY_NAMES) expect(tried[way]!.result, way).toBe(WAYS[way].result);
      for (const [detour, way] of Object.entries(DETOURS))
        // A key that was made up opens nothing.
        expect(tried[detour]!.result, detour).toBe(detour.startsWith('the key') ? 'SOURCE_PROTOCOL' : WAYS[way].result);
    }
  });

  describe('spellings', () => {
    test.each(SPELLINGS.filter(({ means }) => means !== null))('"$host" is $means', ({ host, means }) => {
      const { byDefault, allowed } = report.spellings[host]!;
      for (const way of WAY_NAMES) {
        expect(byDefault[way], way).toMatchObject({ result: 'SOURCE_BLOCKED', contacts: [] });
        expect(allowed[way], way).toEqual({ result: WAYS[way].result, contacts: [contactOf(means!)] });
      }
    });

    test.each(SPELLINGS.filter(({ means }) => means === null))('"$host" is nobody’s address', ({ host }) => {
      const { byDefault, allowed } = report.spellings[host]!;
      for (const seen of [...Object.values(byDefault), ...Object.values(allowed)])
        expect(seen).toEqual({ result: 'SOURCE_URL_INVALID', contacts: [] });
    });
  });

  test.each(NAMES)('a name that leads to $words: $contacts', ({ words, contacts }) => {
    for (const [way, attempts] of Object.entries(report.names[words]!))
      expect(
        attempts.map(({ reason, contacts: seen }) => reason ?? seen.join(' and ')),
        way,
      ).toEqual(contacts);
  });

  test.each(OTHER_SCHEMES)('neither a redirect nor a playlist leads to %s', (url) => {
    for (const [way, seen] of Object.entries(report.schemes[url]!))
      expect(seen, way).toEqual({ result: 'SOURCE_PROTOCOL', contacts: [] });
  });
});
