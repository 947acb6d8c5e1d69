import { useEffect, useState } from 'react';
import type { IncidentReport } from '../../../common/protocol/health.ts';
import { getJson } from './access.ts';
import { Panel } from './panel.tsx';
import { Picture } from './picture.tsx';
import { StateBadge } from './states.tsx';
import type { ViewControl } from './view.ts';
import { age, count, inTime, moment, nameOf, plural, reasonOf } from './words.ts';

const MOST_MEMBERS = 40;

/** One incident: what is wrong, its evidence, what is being done, and which cameras it has. */
export function IncidentDetails({
  id,
  revision,
  change,
}: { id: string; revision: string } & Pick<ViewControl, 'change'>) {
  const [incident, setIncident] = useState<IncidentReport | null>(null);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    const abort = new AbortController();
    getJson<IncidentReport>(`/api/v1/incidents/${encodeURIComponent(id)}`, abort.signal).then(
      setIncident,
      (error: unknown) => !abort.signal.aborted && setProblem(error instanceof Error ? error.message : String(error)),
    );
    return () => abort.abort();
  }, [id, revision]);
  return (
    <Panel label="Incident" title={`Incident ${id}`} onClose={() => change({ incident: '', camera: '' })}>
      {problem && <p className="problem">{problem}</p>}
      {!incident && !problem && <p className="waiting">Asking…</p>}
      {incident && <Facts incident={incident} />}
      {incident && <Members incident={incident} change={change} />}
    </Panel>
  );
}

function Facts({ incident }: { incident: IncidentReport }) {
  const { state, verdict, kind, name, reason, doing, openedAt, closedAt, cameras, total, nextTryAt } = incident;
  const now = Date.now();
  return (
    <>
      <p className="reason">
        <StateBadge state={state} /> {reason}
      </p>
      <Evidence incident={incident} />
      <dl>
        <dt>{kind}</dt>
        <dd>{name}</dd>
        <dt>cause</dt>
        <dd title={reasonOf(verdict)}>{nameOf(verdict)}</dd>
        <dt>since</dt>
        <dd>
          {moment(openedAt)}{' '}
          <small>{closedAt === null ? `${age(openedAt, now)} ago` : `over since ${moment(closedAt)}`}</small>
        </dd>
        <dt>cameras</dt>
        <dd>{closedAt === null ? `${count(cameras)} ill now, ${count(total)} in all` : count(total)}</dd>
        <dt>done about it</dt>
        <dd>{doing}</dd>
        {closedAt === null && (
          <>
            <dt>next try</dt>
            <dd>{nextTryAt === null ? 'not known' : `${inTime(nextTryAt, now)}, the first of its cameras`}</dd>
          </>
        )}
      </dl>
    </>
  );
}

function Evidence({ incident: { evidenceDigest, evidenceCamera, evidenceFits } }: { incident: IncidentReport }) {
  if (!evidenceDigest) return <p className="hint">No picture of its cameras was kept.</p>;
  return (
    <figure className="evidence">
      <Picture
        path={`/api/v1/frames/${evidenceDigest}`}
        version={evidenceDigest}
        alt={`Evidence: picture of camera ${evidenceCamera}`}
      />
      <figcaption>
        {evidenceFits ? 'Evidence' : 'Last picture that was kept, from before it was so'}, camera {evidenceCamera}
      </figcaption>
    </figure>
  );
}

function Members({ incident: { members, total }, change }: { incident: IncidentReport } & Pick<ViewControl, 'change'>) {
  return (
    <>
      <h3>Cameras</h3>
      <ul className="members">
        {members.slice(0, MOST_MEMBERS).map(({ id, name, host, leftAt }) => (
          <li key={id}>
            <button onClick={() => change({ camera: String(id) })}>
              <span>{name}</span>
              <small>{leftAt === null ? host : `well for ${age(leftAt, Date.now())}`}</small>
            </button>
          </li>
        ))}
      </ul>
      {total > MOST_MEMBERS && <p className="hint">{plural(total - MOST_MEMBERS, 'more camera')} in the list.</p>}
    </>
  );
}
