import type { FleetStatus } from '../../../common/protocol/status.ts';
import { bytes } from './words.ts';

const SERIES = [
  ['fetched', 'from cameras'],
  ['sent', 'reported by agents'],
  ['stored', 'kept'],
] as const;

/** Bytes a day: fetched by agents from cameras, received by the coordinator, stored as pictures. */
export function Days({ status }: { status: FleetStatus }) {
  const days = status.bytes.slice(0, 7).reverse();
  const most = Math.max(1, ...days.flatMap((day) => SERIES.map(([key]) => day[key])));
  return (
    <section className="card days">
      <h2>Bytes a day</h2>
      <div className="chart" role="img" aria-label="Bytes fetched, received and stored a day">
        {days.map((day) => (
          <div key={day.day} className="day">
            <div className="bars">
              {SERIES.map(([key, words]) => (
                <i
                  key={key}
                  className={`series-${key}`}
                  // The square root keeps the small series visible beside the large one.
                  style={{ height: `${Math.sqrt(day[key] / most) * 100}%` }}
                  title={`${day.day}: ${bytes(day[key])} ${words}`}
                />
              ))}
            </div>
            <small>{day.day.slice(5)}</small>
          </div>
        ))}
      </div>
      <ul className="legend">
        {SERIES.map(([key, words]) => (
          <li key={key}>
            <i className={`series-${key}`} /> {words} <b>{bytes(days.at(-1)?.[key] ?? 0)}</b> today
          </li>
        ))}
      </ul>
      <small className="hint">Heights are square roots.</small>
    </section>
  );
}
