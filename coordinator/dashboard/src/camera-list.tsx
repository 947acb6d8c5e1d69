import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef } from 'react';
import type { FleetStatus } from '../../../common/protocol/status.ts';
import { Filters } from './filters.tsx';
import { useTick } from './live.ts';
import type { Live } from './live.ts';
import { Picture } from './picture.tsx';
import { StateBadge } from './states.tsx';
import type { Camera, CameraChoice } from './use-cameras.ts';
import type { ViewControl } from './view.ts';
import { age, count, interval, nameOf, reasonOf, toneOf } from './words.ts';

const ROW_HEIGHT = 64;
const LEAST_ROWS = 3;

interface ListProps extends ViewControl {
  live: Live;
  status: FleetStatus;
  choice: CameraChoice;
}

export function CameraList({ live, status, choice, view, change }: ListProps) {
  const { hasMore, more, problem, total } = choice;
  const cameras = choice.cameras ?? [];
  const chosen = Number(view.camera) || null;
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
  useEffect(() => live.show(chosen === null ? visible : [...new Set([chosen, ...visible])]), [visible.join(), chosen]);
  useEffect(() => {
    if (hasMore && last >= cameras.length - 20) more();
  }, [last, hasMore, cameras.length]);
  return (
    <section className="card cameras" aria-label="Cameras">
      <Filters view={view} change={change} status={status} />
      {problem && <p className="problem">{problem}</p>}
      <div
        className="scroller"
        ref={scroller}
        // A short list takes no more room than it needs.
        style={{ maxHeight: Math.max(LEAST_ROWS, cameras.length) * ROW_HEIGHT + 1 }}
      >
        <div role="list" style={{ height: virtualizer.getTotalSize(), position: 'relative' }}>
          {items.map(({ index, start }) => {
            const camera = cameras[index];
            return (
              camera && (
                <div
                  key={camera.id}
                  role="listitem"
                  className="place"
                  style={{ transform: `translateY(${start}px)`, height: ROW_HEIGHT }}
                >
                  <Row
                    camera={camera}
                    live={live}
                    now={Date.now()}
                    isOpen={chosen === camera.id}
                    onOpen={() => change({ camera: String(camera.id) })}
                  />
                </div>
              )
            );
          })}
        </div>
        {cameras.length === 0 && !problem && (
          <p className="waiting">
            {choice.cameras === null
              ? 'Asking…'
              : status.cameras.total === 0
                ? 'No camera yet. camfleet cameras import adds some.'
                : 'No camera fits.'}
          </p>
        )}
      </div>
      <p className="hint" aria-live="polite">
        {total === null
          ? `${count(status.cameras.total)} cameras`
          : `${count(total)} of ${count(status.cameras.total)} cameras`}
      </p>
    </section>
  );
}

interface RowProps {
  camera: Camera;
  live: Live;
  now: number;
  isOpen: boolean;
  onOpen: () => void;
}

function Row({ camera, live, now, isOpen, onOpen }: RowProps) {
  const row = live.row(camera.id);
  const verdict = row?.verdict ?? null;
  const place = [camera.city, camera.region, camera.country].filter(Boolean).join(', ');
  return (
    <button className={isOpen ? 'row chosen' : 'row'} aria-pressed={isOpen} onClick={onOpen}>
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
      <span className="how">
        {row && <StateBadge state={row.state} />}
        <small>{row?.stateSince ? `for ${age(row.stateSince, now)}` : ' '}</small>
      </span>
      <span className="newest">
        <span className={`verdict tone-${toneOf(verdict)}`} title={verdict ? reasonOf(verdict) : undefined}>
          {verdict ? nameOf(verdict) : 'not tried yet'}
        </span>
        <small>
          {row?.lastAttemptAt ? `${age(row.lastAttemptAt, now)} ago, ` : ''}every {interval(camera.intervalMs)}
        </small>
      </span>
    </button>
  );
}
