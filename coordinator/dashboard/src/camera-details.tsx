import { useEffect, useState } from 'react';
import type { CameraRow } from '../../../common/protocol/page-data.ts';
import type { TimelineReport } from '../../../common/protocol/health.ts';
import { getJson } from './access.ts';
import { useTick } from './live.ts';
import type { Live } from './live.ts';
import { Panel } from './panel.tsx';
import { Picture } from './picture.tsx';
import { StateBadge } from './states.tsx';
import { Timeline } from './timeline.tsx';
import type { Range } from './timeline.tsx';
import type { Camera } from './use-cameras.ts';
import { useTimeline } from './use-timeline.ts';
import type { ViewControl } from './view.ts';
import { age, inTime, interval, moment, nameOf, plural, reasonOf } from './words.ts';

const WATCH_EVERY_MS = 20_000;

/** One camera: how it is and why, its newest picture with its age, how it was, what was tried, and when it is tried next. */
export function CameraDetails({ id, live, change }: { id: number; live: Live } & Pick<ViewControl, 'change'>) {
  const [camera, setCamera] = useState<Camera | null>(null);
  const [problem, setProblem] = useState('');
  const [range, setRange] = useState<Range>('24 h');
  useTick(live);
  useEffect(
    () => void getJson<Camera>(`/api/v1/cameras/${id}`).then(setCamera, (error: Error) => setProblem(error.message)),
    [id],
  );
  useEffect(() => {
    live.watch(id);
    const timer = setInterval(() => live.watch(id), WATCH_EVERY_MS);
    return () => clearInterval(timer);
  }, [id, live]);
  const row = live.row(id);
  const report = useTimeline(id, range, `${row?.lastAttemptAt} ${row?.state}`);
  const now = Date.now();
  return (
    <Panel label="Camera" title={camera?.name ?? `Camera ${id}`} onClose={() => change({ camera: '' })}>
      {problem && <p className="problem">{problem}</p>}
      {report ? <Why report={report} now={now} change={change} /> : !problem && <p className="hint">Asking…</p>}
      <Newest id={id} version={`${row?.lastAttemptAt ?? 0}`} name={camera?.name ?? String(id)} now={now} />
      {report && <Timeline states={report.states} events={report.events} range={range} onRange={setRange} now={now} />}
      {report && <Tried report={report} now={now} />}
      <Facts row={row} camera={camera} now={now} />
    </Panel>
  );
}

function Why({ report, now, change }: { report: TimelineReport; now: number } & Pick<ViewControl, 'change'>) {
  const { state, since, reason, incidentId } = report;
  return (
    <p className="reason">
      <StateBadge state={state} /> {since !== null && <span className="hint">for {age(since, now)}</span>}
      <span className="why">{reason}</span>
      {incidentId !== null && (
        <button className="link" onClick={() => change({ incident: String(incidentId), camera: '' })}>
          incident {incidentId}
        </button>
      )}
    </p>
  );
}

function Newest({ id, version, name, now }: { id: number; version: string; name: string; now: number }) {
  const [at, setAt] = useState<number | null>(null);
  return (
    <>
      <Picture path={`/api/v1/cameras/${id}/frame`} version={version} alt={`Newest picture of ${name}`} onAt={setAt} />
      <p className="picture-age">{at === null ? 'No picture yet.' : `Picture of ${age(at, now)} ago`}</p>
    </>
  );
}

/** What was tried since it is so, and what comes next. */
function Tried({ report, now }: { report: TimelineReport; now: number }) {
  const { tried, nextTryAt, failuresInARow, lastAttemptAt, lastGoodAt, agent } = report;
  return (
    <dl>
      <dt>tried since</dt>
      <dd>
        {tried.length === 0 && 'nothing yet'}
        {tried.slice(0, 5).map(({ verdict, attempts, lastAt }) => (
          <span key={verdict} className="try" title={reasonOf(verdict)}>
            {plural(attempts, 'attempt')}: {nameOf(verdict)} <small>last {age(lastAt, now)} ago</small>
          </span>
        ))}
      </dd>
      <dt>next try</dt>
      <dd>
        {nextTryAt === null ? 'nobody will try it now' : `${inTime(nextTryAt, now)} (${moment(nextTryAt, now)})`}
        {failuresInARow > 2 && <small> after {failuresInARow} failures in a row, ever more seldom</small>}
      </dd>
      <dt>last tried</dt>
      <dd>{lastAttemptAt === null ? 'never' : `${age(lastAttemptAt, now)} ago by ${agent ?? 'nobody now'}`}</dd>
      <dt>last good</dt>
      <dd>{lastGoodAt === null ? 'never' : `${age(lastGoodAt, now)} ago`}</dd>
    </dl>
  );
}

function Facts({ row, camera, now }: { row: CameraRow | undefined; camera: Camera | null; now: number }) {
  const label = row?.label ? `${row.label}${row.score === null ? '' : ` (${Math.round(row.score * 100)} %)`}` : 'none';
  return (
    <dl>
      <dt>newest verdict</dt>
      <dd>
        {row?.verdict ? nameOf(row.verdict) : 'none'} {row?.since ? <small>for {age(row.since, now)}</small> : null}
        <small className="evidence-facts">{factsOf(row)}</small>
      </dd>
      <dt>label</dt>
      <dd>{label}</dd>
      {camera && (
        <>
          <dt>asked for</dt>
          <dd>
            every {interval(camera.intervalMs)}, priority {camera.priority}
          </dd>
          <dt>host</dt>
          <dd>{camera.host}</dd>
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
          <dd>{camera.tags.join(', ') || 'none'}</dd>
        </>
      )}
    </dl>
  );
}

/** What people can read of the evidence; hashes are for programs. */
const factsOf = (row: CameraRow | undefined): string =>
  Object.entries(row?.evidence ?? {})
    .filter(([key, value]) => key !== 'picture' && !(typeof value === 'string' && value.length > 120))
    .map(([key, value]) => `${key} ${typeof value === 'number' ? Number(value.toFixed(3)) : String(value)}`)
    .join(', ');
