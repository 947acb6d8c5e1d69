import type { FleetStatus } from '../../../common/protocol/page-data.ts';
import { verdictOrder } from '../../../common/domain/verdict.ts';
import { age, bytes, count, nameOf, reasonOf, toneOf } from './words.ts';

export function Numbers({ status }: { status: FleetStatus }) {
  const { cameras, rate, agents, capacity, frames, model } = status;
  const online = agents.filter(({ state }) => state !== 'offline' && state !== 'revoked').length;
  return (
    <section className="numbers" aria-label="Fleet">
      <Tile
        label="cameras"
        value={count(cameras.active)}
        note={cameras.paused > 0 ? `${count(cameras.paused)} paused` : 'active'}
      />
      <Tile
        label="frames a second"
        value={rate.framesPerSecond.toFixed(1)}
        note={`${rate.attemptsPerSecond.toFixed(1)} attempts`}
      />
      <Tile
        label="agents online"
        value={count(online)}
        note={`of ${count(agents.filter(({ state }) => state !== 'revoked').length)}`}
      />
      <Tile
        label="pictures kept"
        value={bytes(frames.bytes)}
        note={frames.full ? 'quota full: nothing new is kept' : `of ${bytes(frames.quotaBytes)}`}
      />
      <Tile
        label="model in force"
        value={model ? model.name : 'none'}
        note={model ? modelNote(model, status.now) : 'frames are captured and cleaned, not classified'}
      />
      <Health status={status} />
      {(capacity.advice ?? capacity.slower > 0) ? (
        <p className="advice" role="alert">
          {capacity.slower > 0 && `${count(capacity.slower)} cameras are fetched less often than asked. `}
          {capacity.advice}
        </p>
      ) : null}
    </section>
  );
}

function modelNote(model: NonNullable<FleetStatus['model']>, now: number): string {
  const refused = model.agentsRefused > 0 ? `, ${model.agentsRefused} refused` : '';
  const metrics = Object.entries(model.metrics).map(([name, value]) => `${name} ${value.toFixed(3)}`);
  return [
    `${model.version.slice(0, 8)}, on ${model.agentsActive} agents${refused}, for ${age(model.since, now)}`,
    ...metrics,
  ].join(', ');
}

function Tile({ label, value, note }: { label: string; value: string; note: string }) {
  return (
    <div className="tile">
      <strong>{value}</strong>
      <span>{label}</span>
      <small>{note}</small>
    </div>
  );
}

/** Active cameras by the verdict of their newest attempt, as one bar. */
function Health({ status }: { status: FleetStatus }) {
  const { byVerdict, untried, active } = status.cameras;
  const parts = verdictOrder.flatMap((verdict) => {
    const cameras = byVerdict[verdict] ?? 0;
    return cameras > 0
      ? [{ key: verdict as string, cameras, tone: toneOf(verdict), name: nameOf(verdict), title: reasonOf(verdict) }]
      : [];
  });
  if (untried > 0)
    parts.push({
      key: 'untried',
      cameras: untried,
      tone: 'none',
      name: 'not tried yet',
      title: 'waits for its first attempt',
    });
  return (
    <div className="health">
      <div className="bar" role="img" aria-label={parts.map(({ cameras, name }) => `${cameras} ${name}`).join(', ')}>
        {parts.map(({ key, cameras, tone }) => (
          <i key={key} className={`tone-${tone}`} style={{ flexGrow: cameras / Math.max(1, active) }} />
        ))}
      </div>
      <ul>
        {parts.map(({ key, cameras, tone, name, title }) => (
          <li key={key} title={title}>
            <i className={`tone-${tone}`} />
            {name} <b>{count(cameras)}</b>
          </li>
        ))}
      </ul>
    </div>
  );
}
