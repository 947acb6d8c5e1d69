import type { FleetStatus } from '../../../common/protocol/status.ts';
import { bytes, count } from './words.ts';

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
