import { useEffect, useRef, useState } from 'react';
import type { CameraState } from '../../../common/domain/health.ts';
import { ApiError, getJson } from './access.ts';
import { filterKeys, queryOf } from './view.ts';
import type { View } from './view.ts';

export interface Camera {
  id: number;
  name: string;
  kind: string;
  source: string;
  host: string;
  country: string | null;
  region: string | null;
  city: string | null;
  latitude: number | null;
  longitude: number | null;
  tags: string[];
  lifecycle: string;
  intervalMs: number;
  priority: number;
  attribution: string | null;
  licence: string | null;
}

interface CameraPage {
  cameras: Camera[];
  next: number | null;
  count?: number;
  states?: Partial<Record<CameraState, number>>;
}

const PAGE = 100;
/** The most that the server gives at once: a longer list is not read anew while somebody scrolls in it. */
const MOST_AGAIN = 1_000;
const TYPING_MS = 250;

export interface CameraChoice {
  /** `null` before the first answer. */
  cameras: Camera[] | null;
  hasMore: boolean;
  more: () => void;
  problem: string;
  /** Of all that match; `null` where there is no condition, because the fleet's status says it. */
  total: number | null;
  /** By state, whatever state is asked for; `null` where no other condition is set. */
  states: Partial<Record<CameraState, number>> | null;
}

/** Pages of the server's list, fetched as far as somebody scrolls, and read anew when `version` changes. */
export function useCameras(view: View, version: string): CameraChoice {
  const [page, setPage] = useState<CameraPage | null>(null);
  const [problem, setProblem] = useState('');
  const loading = useRef(false);
  const condition = queryOf(view, filterKeys).toString();
  const shown = useRef({ condition, cameras: 0 });
  const isNarrow = filterKeys.some((key) => key !== 'state' && view[key] !== '');
  const pathOf = (after: number | null, limit = PAGE): string => {
    const query = new URLSearchParams(condition);
    query.set('limit', String(limit));
    if (after !== null) query.set('after', String(after));
    else if (condition !== '') query.set('count', 'true');
    if (after === null && isNarrow) query.set('states', 'true');
    return `/api/v1/cameras?${query}`;
  };
  useEffect(() => {
    const abort = new AbortController();
    const isSame = shown.current.condition === condition;
    const loaded = isSame ? shown.current.cameras : 0;
    if (loaded > MOST_AGAIN) return;
    const read = () =>
      getJson<CameraPage>(pathOf(null, Math.max(PAGE, loaded)), abort.signal).then(
        (first) => {
          setPage(first);
          shown.current = { condition, cameras: first.cameras.length };
          setProblem('');
        },
        (error: unknown) =>
          !abort.signal.aborted &&
          setProblem(error instanceof ApiError ? error.message : 'No answer from the coordinator.'),
      );
    const timer = setTimeout(() => void read(), isSame ? 0 : TYPING_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [condition, version]);
  const next = page?.next ?? null;
  const more = (): void => {
    if (next === null || loading.current) return;
    loading.current = true;
    void getJson<CameraPage>(pathOf(next))
      .then(
        (further) => {
          // Another condition was chosen meanwhile.
          if (shown.current.condition !== condition) return;
          setPage((old) => old && { ...old, cameras: [...old.cameras, ...further.cameras], next: further.next });
          shown.current.cameras += further.cameras.length;
        },
        () => undefined,
      )
      .finally(() => (loading.current = false));
  };
  return {
    cameras: page?.cameras ?? null,
    hasMore: next !== null,
    more,
    problem,
    total: condition === '' ? null : (page?.count ?? null),
    states: isNarrow ? (page?.states ?? null) : null,
  };
}
