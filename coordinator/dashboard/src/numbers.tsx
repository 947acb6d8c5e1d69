import type { FleetStatus } from '../../../common/protocol/status.ts';
import { verdictOrder } from '../../../common/domain/verdict.ts';
import { bytes, count, nameOf, reasonOf, toneOf } from './words.ts';

export function Numbers({ status }: { status: FleetStatus }) {
  const { cameras, load, agents, frames, advice, totals } = status;
  const known = agents.filter(({ state }) => state !== 'revoked');
  const online = known.filter(({ state }) => state !== 'offline').length;
  const paused = cameras.byLifecycle['paused'] ?? 0;
  return (
    <section className="numbers" aria-label="Fleet">
      <Tile
        label="cameras"
        value={count(cameras.total)}
        note={paused > 0 ? `${count(paused)} paused` : 'none paused'}
      />
      <Tile
        label="attempts a second"
        value={load.rate.toFixed(1)}
        note={`${load.asked.toFixed(1)} asked, ${Math.floor(load.capacity)} possible`}
      />
      <Tile label="agents online" value={count(online)} note={`of ${count(known.length)}`} />
      <Tile
        label="frames counted"
        value={count(totals.frames)}
        note={`${count(totals.classified)} classified, ${count(totals.gated)} unchanged scenes skipped`}
      />
      <Tile
        label="pictures kept"
        value={bytes(frames.bytes)}
        note={frames.full ? 'quota full: nothing new is kept' : `of ${bytes(frames.quotaBytes)}`}
      />
      <Model status={status} />
      <Health status={status} />
      {(advice ?? cameras.slower > 0) ? (
        <p className="advice" role="alert">
          {cameras.slower > 0 && `${count(cameras.slower)} cameras are fetched less often than asked. `}
          {advice}
        </p>
      ) : null}
    </section>
  );
}

function Model({ status: { model, agents } }: { status: FleetStatus }) {
  if (!model) {
    return <Tile label="model in force" value="none" note="frames are captured and cleaned, not classified" />;
  }
  const running = agents.filter(({ modelVersion }) => modelVersion === model.version).length;
  return (
    <Tile
      label="model in force"
      value={model.name}
      note={`${model.version.slice(0, 8)}, on ${count(running)} agents`}
    />
  );
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
  const { byVerdict, capturable, attempted } = status.cameras;
  const untried = Math.max(0, capturable - attempted);
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
          <i key={key} className={`tone-${tone}`} style={{ flexGrow: cameras / Math.max(1, capturable) }} />
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
