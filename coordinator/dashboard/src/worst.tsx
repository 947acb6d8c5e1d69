import { useEffect, useState } from 'react';
import { cameraStates } from '../../../common/domain/health.ts';
import type { HealthGroup, HealthReport } from '../../../common/protocol/health.ts';
import { getJson } from './access.ts';
import type { View, ViewControl } from './view.ts';
import { count } from './words.ts';

const ASK_EVERY_MS = 10_000;
const MOST = 8;
const KINDS = [
  ['hosts', 'host', 'Hosts'],
  ['sources', 'source', 'Sources'],
  ['agents', 'agent', 'Agents'],
] as const;

/** Hosts, sources and agents with most ill cameras; asked for only while somebody looks. */
export function Worst({ change }: Pick<ViewControl, 'change'>) {
  const [open, setOpen] = useState(false);
  const report = useReport(open);
  return (
    <details className="worst" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Where the ill cameras are</summary>
      {report ? (
        <div className="worst-lists">
          {KINDS.map(([list, key, title]) => (
            <Groups
              key={key}
              title={title}
              groups={report[list]}
              onPick={(name) => change({ [key]: name } as Partial<View>)}
            />
          ))}
        </div>
      ) : (
        <p className="hint">Counting…</p>
      )}
    </details>
  );
}

function useReport(isWanted: boolean): HealthReport | null {
  const [report, setReport] = useState<HealthReport | null>(null);
  useEffect(() => {
    if (!isWanted) return;
    const abort = new AbortController();
    const ask = () =>
      void getJson<HealthReport>(`/api/v1/health?limit=${MOST}`, abort.signal).then(setReport, () => undefined);
    ask();
    const timer = setInterval(ask, ASK_EVERY_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [isWanted]);
  return report;
}

function Groups({ title, groups, onPick }: { title: string; groups: HealthGroup[]; onPick: (name: string) => void }) {
  const ill = groups.filter((group) => group.ill > 0);
  return (
    <div>
      <h3>{title}</h3>
      {ill.length === 0 && <p className="hint">None has an ill camera.</p>}
      <ul>
        {ill.map(({ key, name, cameras, ill: sick, states }) => (
          <li key={key}>
            <button className="group" onClick={() => onPick(name)} title={`Show the cameras of ${name}`}>
              <span className="name">{name}</span>
              <span className="number">
                <b>{count(sick)}</b> of {count(cameras)}
              </span>
              <span className="bar small" aria-hidden="true">
                {cameraStates.map(
                  (state) =>
                    (states[state] ?? 0) > 0 && (
                      <i key={state} className={`fill state-${state}`} style={{ flexGrow: states[state] ?? 0 }} />
                    ),
                )}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
