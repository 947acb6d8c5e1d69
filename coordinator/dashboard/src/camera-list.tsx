import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, useState } from 'react';
import { verdictOrder } from '../../../common/domain/verdict.ts';
import type { FleetStatus } from '../../../common/protocol/status.ts';
import { ApiError, getJson } from './access.ts';
import { useTick } from './live.ts';
import type { Live } from './live.ts';
import { Picture } from './picture.tsx';
import { age, count, interval, nameOf, toneOf } from './words.ts';

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
  next: string | null;
}

const PAGE = 100;
const ROW_HEIGHT = 64;
const TYPING_MS = 250;

interface Filter {
  text: string;
  verdict: string;
  kind: string;
  tag: string;
  country: string;
  lifecycle: string;
}
const NO_FILTER: Filter = { text: '', verdict: '', kind: '', tag: '', country: '', lifecycle: '' };

/** Pages of the server's list, fetched as far as somebody scrolls. */
function useCameras(filter: Filter, again: number) {
  const [cameras, setCameras] = useState<Camera[]>([]);
  const [next, setNext] = useState<string | null>(null);
  const [problem, setProblem] = useState('');
  const loading = useRef(false);
  const pathOf = (after: string | null) => {
    const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== ''));
    query.set('limit', String(PAGE));
    if (after) query.set('after', after);
    return `/api/v1/cameras?${query}`;
  };
  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(() => {
      getJson<CameraPage>(pathOf(null), abort.signal).then(
        (page) => {
          setCameras(page.cameras);
          setNext(page.next);
          setProblem('');
        },
        (error: unknown) =>
          !abort.signal.aborted &&
          setProblem(error instanceof ApiError ? error.message : 'No answer from the coordinator.'),
      );
    }, TYPING_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [filter, again]);
  const more = () => {
    if (!next || loading.current) return;
    loading.current = true;
    void getJson<CameraPage>(pathOf(next))
      .then((page) => {
        setCameras((old) => [...old, ...page.cameras]);
        setNext(page.next);
      })
      .finally(() => (loading.current = false));
  };
  return { cameras, hasMore: next !== null, more, problem };
}

interface ListProps {
  live: Live;
  status: FleetStatus;
  chosen: number | null;
  onChoose: (id: number) => void;
}

export function CameraList({ live, status, chosen, onChoose }: ListProps) {
  const [filter, setFilter] = useState(NO_FILTER);
  // New cameras show when the number of cameras changes, not by asking again and again.
  const { cameras, hasMore, more, problem } = useCameras(filter, status.cameras.total);
  const scroller = useRef<HTMLDivElement>(null);
  useTick(live);
  const virtualizer = useVirtualizer({
    count: cameras.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 6,
  });
  const items = virtualizer.getVirtualItems();
  const visible = items.flatMap(({ index }) => cameras[index]?.id ?? []);
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => live.show(chosen === null ? visible : [...new Set([...visible, chosen])]), [visible.join(), chosen]);
  useEffect(() => {
    if (hasMore && last >= cameras.length - 20) more();
  }, [last, hasMore, cameras.length]);
  return (
    <section className="card cameras" aria-label="Cameras">
      <Filters filter={filter} onChange={setFilter} />
      {problem && <p className="problem">{problem}</p>}
      <div className="scroller" ref={scroller} role="list">
        <div style={{ height: virtualizer.getTotalSize(), position: 'relative' }}>
          {items.map(({ index, start }) => {
            const camera = cameras[index];
            return (
              camera && (
                <Row
                  key={camera.id}
                  camera={camera}
                  top={start}
                  live={live}
                  now={Date.now()}
                  chosen={chosen === camera.id}
                  onChoose={onChoose}
                />
              )
            );
          })}
        </div>
        {cameras.length === 0 && !problem && <p className="waiting">No camera fits.</p>}
      </div>
      <p className="hint">
        {count(cameras.length)}
        {hasMore ? '+' : ''} of {count(status.cameras.total)} cameras
      </p>
    </section>
  );
}

interface FiltersProps {
  filter: Filter;
  onChange: (filter: Filter) => void;
}

function Filters({ filter, onChange }: FiltersProps) {
  const set = (key: keyof Filter) => (event: { target: { value: string } }) =>
    onChange({ ...filter, [key]: event.target.value });
  return (
    <form className="filters" onSubmit={(event) => event.preventDefault()}>
      <input
        type="search"
        placeholder="Name, place, host…"
        aria-label="Text"
        value={filter.text}
        onChange={set('text')}
      />
      <select aria-label="Verdict" value={filter.verdict} onChange={set('verdict')}>
        <option value="">any verdict</option>
        {verdictOrder.map((verdict) => (
          <option key={verdict} value={verdict}>
            {nameOf(verdict)}
          </option>
        ))}
      </select>
      <select aria-label="Kind" value={filter.kind} onChange={set('kind')}>
        <option value="">any kind</option>
        <option value="ip">ip</option>
        <option value="non_ip">non_ip</option>
        <option value="stream">stream</option>
      </select>
      <select aria-label="Lifecycle" value={filter.lifecycle} onChange={set('lifecycle')}>
        <option value="">not retired</option>
        <option value="active">active</option>
        <option value="paused">paused</option>
        <option value="retired">retired</option>
      </select>
      <input placeholder="Tag" aria-label="Tag" value={filter.tag} onChange={set('tag')} />
      <input
        placeholder="Country (US)"
        aria-label="Country"
        maxLength={2}
        value={filter.country}
        onChange={(event) => (event.target.value.length === 1 ? undefined : set('country')(event))}
      />
    </form>
  );
}

interface RowProps {
  camera: Camera;
  top: number;
  live: Live;
  now: number;
  chosen: boolean;
  onChoose: (id: number) => void;
}

function Row({ camera, top, live, now, chosen, onChoose }: RowProps) {
  const row = live.row(camera.id);
  const verdict = row?.verdict ?? null;
  const place = [camera.city, camera.region, camera.country].filter(Boolean).join(', ');
  return (
    <button
      role="listitem"
      className={chosen ? 'row chosen' : 'row'}
      style={{ transform: `translateY(${top}px)`, height: ROW_HEIGHT }}
      onClick={() => onChoose(camera.id)}
    >
      {row?.frameDigest ? (
        <Picture path={`/api/v1/frames/${row.frameDigest}`} version={row.frameDigest} alt="" />
      ) : (
        <span className="picture missing" />
      )}
      <span className="what">
        <b>{camera.name}</b>
        <small>{place || camera.host}</small>
      </span>
      <span className="label">{row?.label ?? ''}</span>
      <span className={`verdict tone-${toneOf(verdict)}`}>
        {camera.lifecycle === 'paused' ? 'paused' : verdict ? nameOf(verdict) : 'not tried yet'}
      </span>
      <span className="age">
        {row?.lastAttemptAt ? `${age(row.lastAttemptAt, now)} ago` : ''}
        <small>every {interval(camera.intervalMs)}</small>
      </span>
    </button>
  );
}
