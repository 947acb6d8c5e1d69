/** What stands between two pictures of a multipart stream. */
export interface PartHead {
  /** The boundary line, without its two dashes; `undefined` when there was none. */
  boundary?: string;
  /** Lower-case names. */
  headers: ReadonlyMap<string, string>;
}

/** Reads header lines in any order, over lines that are none. */
export function parsePartHead(text: string): PartHead {
  const headers = new Map<string, string>();
  let boundary: string | undefined;
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    // Whole lines only, and plain characters: padding of the picture before may stand in front.
    const dashes = /^--([\x21-\x7e][\x20-\x7e]{0,199})$/.exec(line);
    const header = /^([A-Za-z][A-Za-z0-9-]*)\s*:\s*(.*)$/.exec(line);
    if (dashes) boundary = dashes[1]!;
    else if (header) headers.set(header[1]!.toLowerCase(), header[2]!);
  }
  return boundary === undefined ? { headers } : { boundary, headers };
}

/**
 * The boundary that a Content-Type announces, without quotes and without the two dashes that some cameras put into it;
 * `undefined` when it announces none.
 */
export function announcedBoundary(contentType: string | undefined): string | undefined {
  const value = /boundary\s*=\s*(?:"([^"]*)"|([^;\s]+))/i.exec(contentType ?? '');
  const boundary = (value?.[1] ?? value?.[2] ?? '').replace(/^-{2}/, '');
  return boundary === '' ? undefined : boundary;
}

export function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text.trim()) ? Number(text) : undefined;
}
