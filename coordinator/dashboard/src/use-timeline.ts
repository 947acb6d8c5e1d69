import { useEffect, useState } from 'react';
import type { TimelineReport, TimelineState } from '../../../common/protocol/health.ts';
import { getJson } from './access.ts';
import { RANGES } from './timeline.tsx';
import type { Range } from './timeline.tsx';

/** A camera that comes and goes has very many; the oldest ones of the range are left out then. */
const MOST_PAGES = 4;
const PAGE = 500;
/** A camera that is tried every second is not asked about every second. */
const ASK_AGAIN_MS = 5_000;

/** How the camera is and was, asked for again with news (`version`). */
export function useTimeline(id: number, range: Range, version: string): TimelineReport | null {
  const [report, setReport] = useState<TimelineReport | null>(null);
  const slow = useSlowly(version, ASK_AGAIN_MS);
  useEffect(() => {
    const abort = new AbortController();
    readAll(id, Date.now() - RANGES[range].ms, abort.signal).then(setReport, () => undefined);
    return () => abort.abort();
  }, [id, range, slow]);
  return report;
}

async function readAll(id: number, since: number, signal: AbortSignal): Promise<TimelineReport> {
  const page = (before: number | null): Promise<TimelineReport> =>
    getJson(
      `/api/v1/cameras/${id}/timeline?since=${since}&limit=${PAGE}${before === null ? '' : `&before=${before}`}`,
      signal,
    );
  const first = await page(null);
  const states: TimelineState[] = [...first.states];
  let { next } = first;
  for (let pages = 1; next !== null && pages < MOST_PAGES; pages++) {
    const older = await page(next);
    states.push(...older.states);
    next = older.next;
  }
  return { ...first, states };
}

/** The value, a new one at most every so often. */
export function useSlowly<Value>(value: Value, everyMs: number): Value {
  const [slow, setSlow] = useState({ value, at: 0 });
  useEffect(() => {
    if (Object.is(value, slow.value)) return;
    const timer = setTimeout(() => setSlow({ value, at: Date.now() }), Math.max(0, slow.at + everyMs - Date.now()));
    return () => clearTimeout(timer);
  }, [value, slow]);
  return slow.value;
}
