import { useState } from 'react';
import { cameraStates } from '../../../common/domain/health.ts';
import type { CameraState } from '../../../common/domain/health.ts';
import type { TimelineReport, TimelineState } from '../../../common/protocol/health.ts';
import { Picture } from './picture.tsx';
import { StateBadge, StateMark } from './states.tsx';
import { age, moment, reasonOf, share } from './words.ts';

const HOUR_MS = 3_600_000;
/** What can be looked at, with the distance of the marks below the bar. */
export const RANGES = {
  '24 h': { ms: 24 * HOUR_MS, tickMs: 6 * HOUR_MS },
  '7 d': { ms: 168 * HOUR_MS, tickMs: 24 * HOUR_MS },
} as const;
export type Range = keyof typeof RANGES;

const EVENT_WORDS: Record<TimelineReport['events'][number]['kind'], string> = {
  moved: 'camera moved',
  scene: 'scene changed',
  blurred: 'lens perhaps blurred or dirty',
};

interface TimelineProps {
  states: TimelineState[];
  events: TimelineReport['events'];
  range: Range;
  onRange: (range: Range) => void;
  now: number;
}

interface Piece {
  id: number;
  state: CameraState;
  from: number;
  until: number;
}

/** How a camera was, as a bar in the colours of its states; the same as words for whoever cannot see it, and as a list. */
export function Timeline({ states, events, range, onRange, now }: TimelineProps) {
  const { ms, tickMs } = RANGES[range];
  const start = now - ms;
  const pieces = states
    .map(({ id, state, from, until }) => ({
      id,
      state,
      from: Math.max(from, start),
      until: Math.min(until ?? now, now),
    }))
    .filter(({ from, until }) => until > from);
  const place = (at: number): string => `${(((at - start) / ms) * 100).toFixed(3)}%`;
  const recent = events.filter(({ at }) => at >= start);
  return (
    <div className="timeline">
      <div className="head">
        <h3>The last {range === '24 h' ? '24 hours' : '7 days'}</h3>
        <div className="choice" role="group" aria-label="How far back">
          {(Object.keys(RANGES) as Range[]).map((one) => (
            <button key={one} aria-pressed={one === range} onClick={() => onRange(one)}>
              {one}
            </button>
          ))}
        </div>
      </div>
      <div className="track" role="img" aria-label={inWords(pieces, start, now)}>
        {pieces
          .toSorted((a, b) => RANK[a.state] - RANK[b.state])
          .map(({ id, state, from, until }) => (
            <i
              key={id}
              className={`fill state-${state}`}
              style={{ left: place(from), width: place(until - from + start) }}
              title={`${state}, ${moment(from, now)} to ${until === now ? 'now' : moment(until, now)} (${age(from, until)})`}
            />
          ))}
        {recent.map(({ kind, at }) => (
          <b
            key={`${kind}${at}`}
            className="event"
            style={{ left: place(at) }}
            title={`${EVENT_WORDS[kind]}, ${moment(at, now)}`}
          />
        ))}
      </div>
      <div className="ticks" aria-hidden="true">
        {ticksOf(start, now, tickMs).map((at) => (
          <span key={at} style={{ left: place(at) }}>
            {tickWords(at, range)}
          </span>
        ))}
      </div>
      <ul className="shares">
        {sharesOf(pieces).map(({ state, ms: time }) => (
          <li key={state}>
            <StateMark state={state} /> {state}{' '}
            <b>{share(time / Math.max(1, now - Math.max(start, earliest(pieces, now))))}</b>
          </li>
        ))}
      </ul>
      <Events events={events} now={now} />
      <History states={states} now={now} />
    </div>
  );
}

/** Short troubles are painted over long health, so that a minute of them still shows. */
const RANK = Object.fromEntries(cameraStates.map((state, i) => [state, state === 'online' ? -1 : i])) as Record<
  CameraState,
  number
>;

const earliest = (pieces: readonly Piece[], now: number): number =>
  pieces.reduce((least, { from }) => Math.min(least, from), now);

function sharesOf(pieces: readonly Piece[]): { state: CameraState; ms: number }[] {
  return cameraStates
    .map((state) => ({
      state,
      ms: pieces.reduce((sum, piece) => (piece.state === state ? sum + piece.until - piece.from : sum), 0),
    }))
    .filter(({ ms }) => ms > 0);
}

function inWords(pieces: readonly Piece[], start: number, now: number): string {
  const known = now - Math.max(start, earliest(pieces, now));
  const shares = sharesOf(pieces).map(({ state, ms }) => `${state} ${share(ms / Math.max(1, known))} of the time`);
  return shares.length === 0 ? 'Nothing is known of this time.' : `${shares.join(', ')}; ${pieces.length} stretches.`;
}

/** Whole hours, or midnights, of local time. */
function ticksOf(start: number, end: number, stepMs: number): number[] {
  const offset = new Date(end).getTimezoneOffset() * 60_000;
  const ticks: number[] = [];
  for (let at = Math.ceil((start - offset) / stepMs) * stepMs + offset; at < end; at += stepMs) ticks.push(at);
  return ticks;
}

const tickWords = (at: number, range: Range): string =>
  range === '24 h'
    ? new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
    : new Date(at).toLocaleDateString('en-GB', { weekday: 'short' });

/** What happened to it without making it ill. */
function Events({ events, now }: Pick<TimelineProps, 'events' | 'now'>) {
  if (events.length === 0) return null;
  return (
    <ul className="events">
      {events.slice(0, 5).map(({ kind, at }) => (
        <li key={`${kind}${at}`}>
          <i className="event" aria-hidden="true" /> {EVENT_WORDS[kind]} <small>{moment(at, now)}</small>
        </li>
      ))}
    </ul>
  );
}

const MOST_IN_LIST = 50;

function History({ states, now }: Pick<TimelineProps, 'states' | 'now'>) {
  const [open, setOpen] = useState(false);
  if (states.length === 0) return null;
  return (
    <details className="history" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>As a list</summary>
      {open && (
        <ol>
          {states.slice(0, MOST_IN_LIST).map(({ id, state, from, until, verdict, frameDigest }) => (
            <li key={id}>
              {frameDigest ? (
                <Picture
                  path={`/api/v1/frames/${frameDigest}`}
                  version={frameDigest}
                  alt={`Picture while it was ${state}`}
                />
              ) : (
                <span className="picture missing" />
              )}
              <span>
                <StateBadge state={state} /> {age(from, until ?? now)}
                <small>
                  {moment(from, now)} to {until === null ? 'now' : moment(until, now)}
                  {verdict !== null && state !== 'online' && `: ${reasonOf(verdict)}`}
                </small>
              </span>
            </li>
          ))}
        </ol>
      )}
    </details>
  );
}
