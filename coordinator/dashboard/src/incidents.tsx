import { useEffect, useState } from 'react';
import type { HealthSummary, IncidentCause, IncidentRow } from '../../../common/protocol/health.ts';
import { getJson } from './access.ts';
import { Picture } from './picture.tsx';
import { StateBadge } from './states.tsx';
import { queryOf } from './view.ts';
import type { FilterKey, View, ViewControl } from './view.ts';
import { age, count, plural, reasonOf } from './words.ts';

/** Conditions that incidents know, too. */
const KEYS: FilterKey[] = ['state', 'verdict', 'host', 'source', 'agent', 'tag', 'country'];
const PAGE = 40;
/** The server gives no more at once; whoever looks for one of them narrows the conditions. */
const MOST = 500;
/** More of one cause are shown when its cause is picked. */
const MOST_OF_A_CAUSE = 3;

interface IncidentsProps extends ViewControl {
  health: HealthSummary;
}

/** What is wrong now, by cause: one entry for cameras that are ill for one reason, however many they are. */
export function Incidents({ health, view, change }: IncidentsProps) {
  const [isOver, setOver] = useState(false);
  const [most, setMost] = useState(PAGE);
  const { incidents, problem } = useIncidents(view, { isOver, most }, health.revision);
  const isFiltered = KEYS.some((key) => view[key] !== '');
  const causes = incidents && (isOver ? [] : causesOf(incidents, knownCauses(health, view)));
  const selected = causes?.reduce((sum, cause) => sum + cause.incidents, 0) ?? 0;
  return (
    <section className="card incidents" aria-labelledby="incidents-title">
      <div className="head">
        <h2 id="incidents-title">
          Incidents{' '}
          <small>
            {count(health.openIncidents)} open
            {isFiltered && !isOver && incidents
              ? `, ${count(selected)}${selected === most ? ' or more' : ''} of them selected`
              : ''}
          </small>
        </h2>
        <Choice isOver={isOver} onChoose={setOver} />
      </div>
      {problem && <p className="problem">{problem}</p>}
      {incidents === null && !problem && <p className="waiting">Asking…</p>}
      {incidents?.length === 0 && (
        <p className="hint calm">
          {isOver
            ? 'No incident is over yet.'
            : isFiltered
              ? 'No open incident fits.'
              : 'Nothing is wrong: no incident is open.'}
        </p>
      )}
      <div className="incident-scroller">
        {causes?.map((cause) => (
          <Cause
            key={`${cause.state} ${cause.verdict}`}
            cause={cause}
            incidents={incidents ?? []}
            all={isFiltered}
            view={view}
            change={change}
          />
        ))}
        {isOver && <List incidents={incidents ?? []} view={view} change={change} />}
        {(isOver || isFiltered) && incidents?.length === most && most < MOST && (
          <button className="link more" onClick={() => setMost(Math.min(MOST, most * 3))}>
            show more
          </button>
        )}
      </div>
    </section>
  );
}

function Choice({ isOver, onChoose }: { isOver: boolean; onChoose: (isOver: boolean) => void }) {
  return (
    <div className="choice" role="group" aria-label="Which incidents">
      <button aria-pressed={!isOver} onClick={() => onChoose(false)}>
        open
      </button>
      <button aria-pressed={isOver} onClick={() => onChoose(true)}>
        over
      </button>
    </div>
  );
}

/** Asked for again when the open ones are others; the list that was seen stays until the new one is there. */
function useIncidents(
  view: View,
  { isOver, most }: { isOver: boolean; most: number },
  revision: string,
): { incidents: IncidentRow[] | null; problem: string } {
  const [incidents, setIncidents] = useState<IncidentRow[] | null>(null);
  const [problem, setProblem] = useState('');
  const query = queryOf(view, KEYS);
  query.set('open', String(!isOver));
  query.set('order', isOver ? 'newest' : 'cameras');
  query.set('limit', String(most));
  const path = `/api/v1/incidents?${query}`;
  useEffect(() => {
    const abort = new AbortController();
    getJson<{ incidents: IncidentRow[] }>(path, abort.signal).then(
      (page) => {
        setIncidents(page.incidents);
        setProblem('');
      },
      (error: unknown) => !abort.signal.aborted && setProblem(error instanceof Error ? error.message : String(error)),
    );
    return () => abort.abort();
  }, [path, revision]);
  return { incidents, problem };
}

/** The server counts by state and cause; of other conditions only what was listed is known. */
function knownCauses({ causes }: HealthSummary, view: View): IncidentCause[] {
  if (KEYS.some((key) => key !== 'state' && key !== 'verdict' && view[key] !== '')) return [];
  const fits = (wanted: string, value: string): boolean => wanted === '' || wanted === value;
  return causes.filter(({ state, verdict }) => fits(view.state, state) && fits(view.verdict, verdict));
}

/** The known causes, or where they are not known those of the incidents that were listed. */
function causesOf(incidents: readonly IncidentRow[], known: readonly IncidentCause[]): IncidentCause[] {
  if (known.length > 0 || incidents.length === 0) return [...known];
  const causes = new Map<string, IncidentCause>();
  for (const { state, verdict, cameras, openedAt } of incidents) {
    const key = `${state} ${verdict}`;
    const cause = causes.get(key) ?? { state, verdict, incidents: 0, cameras: 0, since: openedAt };
    causes.set(key, {
      ...cause,
      incidents: cause.incidents + 1,
      cameras: cause.cameras + cameras,
      since: Math.min(cause.since, openedAt),
    });
  }
  return [...causes.values()].toSorted((a, b) => b.cameras - a.cameras);
}

interface CauseProps extends ViewControl {
  cause: IncidentCause;
  incidents: IncidentRow[];
  /** Whether all of them are shown. */
  all: boolean;
}

function Cause({ cause, incidents, all, view, change }: CauseProps) {
  const { state, verdict, cameras, since } = cause;
  const own = incidents.filter((one) => one.state === state && one.verdict === verdict);
  const shown = all ? own : own.slice(0, MOST_OF_A_CAUSE);
  const rest = cause.incidents - shown.length;
  return (
    <div className="cause">
      <h3>
        <StateBadge state={state} /> <span className="words">{reasonOf(verdict)}</span>
        <small>
          {plural(cameras, 'camera')} in {plural(cause.incidents, 'incident')}, since {age(since, Date.now())}
        </small>
      </h3>
      <List incidents={shown} view={view} change={change} />
      {rest > 0 && !all && (
        <button className="link more" onClick={() => change({ state, verdict })}>
          {shown.length === 0 ? `show ${count(rest)}` : `${count(rest)} more of this cause`}
        </button>
      )}
    </div>
  );
}

function List({ incidents, view, change }: ViewControl & { incidents: IncidentRow[] }) {
  return (
    <ul>
      {incidents.map((incident) => (
        <li key={incident.id}>
          <Row
            incident={incident}
            isOpen={view.incident === String(incident.id)}
            onOpen={() => change({ incident: String(incident.id), camera: '' })}
          />
        </li>
      ))}
    </ul>
  );
}

function Row({ incident, isOpen, onOpen }: { incident: IncidentRow; isOpen: boolean; onOpen: () => void }) {
  const { state, kind, name, reason, doing, openedAt, closedAt, cameras, total, evidenceDigest } = incident;
  const now = Date.now();
  // The heading has told the cause of those that are open.
  const title = closedAt === null && kind !== 'agent' ? `${kind} ${name}` : reason;
  return (
    <button className={isOpen ? 'incident chosen' : 'incident'} onClick={onOpen} aria-pressed={isOpen}>
      {evidenceDigest ? (
        <Picture path={`/api/v1/frames/${evidenceDigest}`} version={evidenceDigest} alt="" />
      ) : (
        <span className="picture missing" />
      )}
      <span className="what">
        <b>{title}</b>
        <small>{doing}</small>
      </span>
      <span className="facts">
        {closedAt === null ? <b>{plural(cameras, 'camera')}</b> : <StateBadge state={state} />}
        <small>
          {closedAt === null
            ? `for ${age(openedAt, now)}`
            : `${plural(total, 'camera')}, over ${age(closedAt, now)} ago`}
        </small>
      </span>
    </button>
  );
}
