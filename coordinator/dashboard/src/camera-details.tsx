import { useEffect, useState } from 'react';
import { getJson } from './access.ts';
import type { Camera } from './camera-list.tsx';
import { useTick } from './live.ts';
import type { Live } from './live.ts';
import { Picture } from './picture.tsx';
import { age, interval, nameOf, reasonOf, toneOf } from './words.ts';

const WATCH_EVERY_MS = 20_000;

/** One camera: its newest picture with its age, what it shows, and why it is what it is. */
export function CameraDetails({ id, live, onClose }: { id: number; live: Live; onClose: () => void }) {
  const [camera, setCamera] = useState<Camera | null>(null);
  const [pictureAt, setPictureAt] = useState<number | null>(null);
  useTick(live);
  useEffect(() => void getJson<Camera>(`/api/v1/cameras/${id}`).then(setCamera, () => undefined), [id]);
  useEffect(() => {
    live.watch(id);
    const timer = setInterval(() => live.watch(id), WATCH_EVERY_MS);
    return () => clearInterval(timer);
  }, [id, live]);
  const row = live.row(id);
  const now = Date.now();
  const verdict = row?.verdict ?? null;
  const labels = row?.label ? `${row.label}${row.score === null ? '' : ` (${Math.round(row.score * 100)} %)`}` : 'none';
  return (
    <section className="card details" aria-label="Camera">
      <button className="close" aria-label="Close" onClick={onClose}>
        ×
      </button>
      <h2>{camera?.name ?? `Camera ${id}`}</h2>
      <Picture
        path={`/api/v1/cameras/${id}/frame`}
        version={`${row?.lastAttemptAt ?? 0}`}
        alt={`Newest picture of ${camera?.name ?? id}`}
        onAt={setPictureAt}
      />
      <p className="picture-age">{pictureAt === null ? 'No picture yet.' : `Picture of ${age(pictureAt, now)} ago`}</p>
      <dl>
        <dt>verdict</dt>
        <dd>
          <span className={`verdict tone-${toneOf(verdict)}`}>{verdict ? nameOf(verdict) : 'not tried yet'}</span>
        </dd>
        {verdict && (
          <>
            <dt>why</dt>
            <dd>
              {reasonOf(verdict)}
              <small>
                {Object.entries(row?.evidence ?? {})
                  .map(([key, value]) => ` ${key} ${typeof value === 'number' ? Number(value.toFixed(3)) : value}`)
                  .join(',')}
              </small>
            </dd>
          </>
        )}
        <dt>label</dt>
        <dd>{labels}</dd>
        <dt>so for</dt>
        <dd>{row?.since ? age(row.since, now) : '-'}</dd>
        <dt>last tried</dt>
        <dd>{row?.lastAttemptAt ? `${age(row.lastAttemptAt, now)} ago by ${row.agent ?? 'nobody now'}` : 'never'}</dd>
        <dt>last good</dt>
        <dd>{row?.lastGoodAt ? `${age(row.lastGoodAt, now)} ago` : 'never'}</dd>
        {camera && (
          <>
            <dt>asked for</dt>
            <dd>
              every {interval(camera.intervalMs)}, priority {camera.priority}
            </dd>
            <dt>where</dt>
            <dd>
              {[camera.city, camera.region, camera.country].filter(Boolean).join(', ') || 'unknown'}
              {camera.latitude !== null && camera.longitude !== null && (
                <small>
                  {' '}
                  {camera.latitude.toFixed(4)}, {camera.longitude.toFixed(4)}
                </small>
              )}
            </dd>
            <dt>source</dt>
            <dd>
              {camera.source}{' '}
              <small>
                {camera.attribution ?? ''} {camera.licence ?? ''}
              </small>
            </dd>
            <dt>tags</dt>
            <dd>{camera.tags.join(', ') || '-'}</dd>
          </>
        )}
      </dl>
    </section>
  );
}
