import { useEffect, useState } from 'react';
import { keepToken, readToken } from './access.ts';
import { Agents } from './agents.tsx';
import { CameraDetails } from './camera-details.tsx';
import { CameraList } from './camera-list.tsx';
import { Days } from './days.tsx';
import { Live, useStatus } from './live.ts';
import type { Connection } from './live.ts';
import { Numbers } from './numbers.tsx';
import { Training } from './training.tsx';

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

function Fleet({ live, onToken }: { live: Live; onToken: (token: string) => void }) {
  const { status, connection, refusal } = useStatus(live);
  const [chosen, setChosen] = useState<number | null>(null);
  if (connection === 'refused') return <AskToken onToken={onToken} problem={refusal} />;
  return (
    <div className="page">
      <Header connection={connection} />
      <main>
        {status ? (
          <>
            <Numbers status={status} />
            <div className="columns">
              <CameraList live={live} status={status} chosen={chosen} onChoose={setChosen} />
              <aside>
                {chosen !== null && (
                  <CameraDetails key={chosen} id={chosen} live={live} onClose={() => setChosen(null)} />
                )}
                <Agents status={status} />
                <Training status={status} />
                <Days status={status} />
              </aside>
            </div>
          </>
        ) : (
          <p className="waiting">Waiting for the coordinator…</p>
        )}
      </main>
    </div>
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
