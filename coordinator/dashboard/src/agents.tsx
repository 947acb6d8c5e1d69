import { useEffect, useState } from 'react';
import type { ProbeItem } from '../../../common/protocol/agent-link.ts';
import { getJson } from './access.ts';
import type { AgentNumbers, FleetStatus } from '../../../common/protocol/status.ts';
import { age, count } from './words.ts';

const TONE: Record<AgentNumbers['state'], string> = {
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
      <div className="agent-scroller">
        {status.agents.map((agent) => (
          <Agent
            key={agent.id}
            agent={agent}
            suspicion={status.health.suspects.find(({ id }) => id === agent.id)?.reason}
            now={Date.now()}
          />
        ))}
      </div>
    </section>
  );
}

interface AgentProps {
  agent: AgentNumbers;
  /** Why it is suspected. */
  suspicion: string | undefined;
  now: number;
}

function Agent({ agent, suspicion, now }: AgentProps) {
  const [open, setOpen] = useState(false);
  const load = agent.capacity > 0 ? Math.min(1, agent.rate / agent.capacity) : 0;
  return (
    <details className="agent" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <i className={`dot tone-${suspicion === undefined ? TONE[agent.state] : 'odd'}`} />
        <b>{agent.name}</b>
        <span title={suspicion}>{suspicion === undefined ? agent.state : 'suspected'}</span>
        <span className="right">{count(agent.cameras)} cameras</span>
        <meter
          value={load}
          max={1}
          title={`${agent.rate.toFixed(1)} of ${agent.capacity.toFixed(0)} attempts a second`}
        />
      </summary>
      {suspicion !== undefined && <p className="suspicion">{suspicion}</p>}
      <dl>
        <dt>attempts a second</dt>
        <dd>
          {agent.rate.toFixed(1)} of {agent.capacity.toFixed(0)}
        </dd>
        <dt>late cameras</dt>
        <dd>{count(agent.late)}</dd>
        <dt>last heard of</dt>
        <dd>{agent.lastSeenAt === null ? 'never' : `${age(agent.lastSeenAt, now)} ago`}</dd>
        <dt>batches waiting</dt>
        <dd>{count(agent.outboxBatches)}</dd>
        {agent.refusedBatches > 0 && (
          <>
            <dt>batches refused</dt>
            <dd>{count(agent.refusedBatches)}: see outbox/refused on its machine</dd>
          </>
        )}
        {agent.picturesDropped > 0 && (
          <>
            <dt>pictures dropped</dt>
            <dd>{count(agent.picturesDropped)}</dd>
          </>
        )}
        <dt>model</dt>
        <dd>{agent.modelVersion?.slice(0, 8) ?? 'none'}</dd>
      </dl>
      {open && <Probe id={agent.id} />}
    </details>
  );
}

/** What the agent found about its machine when it started. */
function Probe({ id }: { id: string }) {
  const [items, setItems] = useState<ProbeItem[]>([]);
  useEffect(() => {
    getJson<{ probe?: ProbeItem[] }>(`/api/v1/agents/${id}`).then(
      ({ probe }) => setItems(probe ?? []),
      () => setItems([]),
    );
  }, [id]);
  return (
    <ul className="probe">
      {items.map((item) => (
        <li key={item.name}>
          {item.ok ? '✓' : '✗'} {item.name}: {item.found} {item.mend && <em>{item.mend}</em>}
        </li>
      ))}
    </ul>
  );
}
