import type { AgentStatus, FleetStatus } from '../../../common/protocol/page-data.ts';
import { age, count } from './words.ts';

const TONE: Record<AgentStatus['state'], string> = {
  online: 'good',
  draining: 'odd',
  cordoned: 'odd',
  offline: 'bad',
  revoked: 'none',
};

export function Agents({ status }: { status: FleetStatus }) {
  return (
    <section className="card">
      <h2>Agents</h2>
      {status.agents.length === 0 && (
        <p className="hint">
          None yet. <code>camfleet agents invite</code> prints the line that adds one.
        </p>
      )}
      {status.agents.map((agent) => (
        <Agent key={agent.id} agent={agent} now={status.now} />
      ))}
    </section>
  );
}

function Agent({ agent, now }: { agent: AgentStatus; now: number }) {
  const load = agent.capacity > 0 ? Math.min(1, agent.rate / agent.capacity) : 0;
  const ill = agent.probe.filter(({ ok }) => !ok);
  return (
    <details className="agent">
      <summary>
        <i className={`dot tone-${TONE[agent.state]}`} />
        <b>{agent.name}</b>
        <span>{agent.state}</span>
        <span className="right">{count(agent.cameras)} cameras</span>
        <meter
          value={load}
          max={1}
          title={`${agent.rate.toFixed(1)} of ${agent.capacity.toFixed(0)} attempts a second`}
        />
      </summary>
      <dl>
        <dt>attempts a second</dt>
        <dd>
          {agent.rate.toFixed(1)} of {agent.capacity.toFixed(0)}
        </dd>
        <dt>late cameras</dt>
        <dd>{count(agent.late)}</dd>
        <dt>last heard of</dt>
        <dd>{age(agent.lastSeenAt, now)} ago</dd>
        <dt>batches waiting</dt>
        <dd>{count(agent.outboxBatches)}</dd>
        <dt>model</dt>
        <dd>{agent.modelVersion?.slice(0, 8) ?? 'none'}</dd>
        <dt>version</dt>
        <dd>{agent.version}</dd>
      </dl>
      <ul className="probe">
        {agent.probe.map((item) => (
          <li key={item.name}>
            {item.ok ? '✓' : '✗'} {item.name}: {item.found} {item.mend && <em>{item.mend}</em>}
          </li>
        ))}
      </ul>
      {ill.length === 0 && agent.probe.length > 0 && <p className="hint">All checks passed.</p>}
    </details>
  );
}
