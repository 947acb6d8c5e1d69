import { useEffect, useState } from 'react';
import type { FleetStatus } from '../../../common/protocol/status.ts';
import { keepToken, readToken } from './access.ts';
import { Agents } from './agents.tsx';
import { CameraDetails } from './camera-details.tsx';
import { CameraList } from './camera-list.tsx';
import { Days } from './days.tsx';
import { Health } from './health.tsx';
import { IncidentDetails } from './incident-details.tsx';
import { Incidents } from './incidents.tsx';
import { Live, useStatus } from './live.ts';
import type { Connection } from './live.ts';
import { Numbers } from './numbers.tsx';
import { Training } from './training.tsx';
import { useCameras } from './use-cameras.ts';
import { useSlowly } from './use-timeline.ts';
import { filterKeys, useView } from './view.ts';

export function App() {
  const [token, setToken] = useState(readToken);
  const [live, setLive] = useState<Live | null>(null);
  useEffect(() => {
    if (!token) return;
    const next = new Live(token);
    setLive(next);
    return () => next.close();
  }, [token]);
  if (!token) return <AskToken onToken={setToken} problem="" />;
  return live && <Fleet key={token} live={live} onToken={setToken} />;
}

/** Cameras that fall ill or recover enter and leave a filtered list; seldom enough to cost little. */
const LIST_AGAIN_MS = 5_000;

function Fleet({ live, onToken }: { live: Live; onToken: (token: string) => void }) {
  const { status, connection, refusal } = useStatus(live);
  if (connection === 'refused') return <AskToken onToken={onToken} problem={refusal} />;
  return (
    <div className="page">
      <Header connection={connection} />
      <main>
        {status ? <Board live={live} status={status} /> : <p className="waiting">Waiting for the coordinator…</p>}
      </main>
    </div>
  );
}

function Board({ live, status }: { live: Live; status: FleetStatus }) {
  const control = useView();
  const { view, change } = control;
  const isFiltered = filterKeys.some((key) => view[key] !== '');
  // Without a condition only a new number of cameras makes another list.
  const news = isFiltered ? JSON.stringify([status.cameras.total, status.health.states]) : `${status.cameras.total}`;
  const choice = useCameras(view, useSlowly(news, LIST_AGAIN_MS));
  const camera = Number(view.camera);
  return (
    <>
      <Numbers status={status} />
      <Health health={status.health} selected={choice.states} {...control} />
      <div className="columns">
        <div className="main-column">
          <Incidents health={status.health} {...control} />
          <CameraList live={live} status={status} choice={choice} {...control} />
        </div>
        <aside>
          {camera > 0 ? (
            <CameraDetails key={camera} id={camera} live={live} change={change} />
          ) : (
            view.incident !== '' && (
              <IncidentDetails
                key={view.incident}
                id={view.incident}
                revision={status.health.revision}
                change={change}
              />
            )
          )}
          <Agents status={status} />
          <Training status={status} />
          <Days status={status} />
        </aside>
      </div>
    </>
  );
}

const CONNECTION_WORDS: Record<Connection, string> = {
  connecting: 'connecting',
  live: 'live',
  away: 'no connection: what you see is old',
  refused: 'refused',
};

function Header({ connection }: { connection: Connection }) {
  return (
    <header>
      <img src="/icon.svg" alt="" width="28" height="28" />
      <h1>camfleet</h1>
      <span className={`connection ${connection}`} role="status">
        {CONNECTION_WORDS[connection]}
      </span>
      <nav>
        <a href="/api/docs">API</a>
        <a href="/metrics">Metrics</a>
      </nav>
    </header>
  );
}

function AskToken({ onToken, problem }: { onToken: (token: string) => void; problem: string }) {
  return (
    <form
      className="ask"
      onSubmit={(event) => {
        event.preventDefault();
        const token = String(new FormData(event.currentTarget).get('token') ?? '').trim();
        if (!token) return;
        keepToken(token);
        onToken(token);
      }}
    >
      <img src="/icon.svg" alt="" width="48" height="48" />
      <h1>camfleet</h1>
      <p>Open the link that the coordinator printed when it started, or paste its token.</p>
      {problem && <p className="problem">{problem}</p>}
      <input name="token" type="password" aria-label="Token" placeholder="Token" autoComplete="off" />
      <button>Look</button>
    </form>
  );
}
