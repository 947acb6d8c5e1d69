import { useEffect, useState } from 'react';
import { cameraStates } from '../../../common/domain/health.ts';
import { verdictOrder } from '../../../common/domain/verdict.ts';
import type { FleetStatus } from '../../../common/protocol/status.ts';
import { NO_FILTER, filterKeys } from './view.ts';
import type { FilterKey, ViewControl } from './view.ts';
import { count, nameOf } from './words.ts';

type FiltersProps = ViewControl & { status: FleetStatus };

const MORE: FilterKey[] = ['host', 'source', 'tag', 'country', 'kind', 'lifecycle'];

/** Conditions on cameras. The server applies them, and they stand in the address. */
export function Filters({ view, change, status }: FiltersProps) {
  const { byVerdict } = status.cameras;
  const [isOpen, setOpen] = useState(() => MORE.some((key) => view[key] !== ''));
  const select = (key: FilterKey) => (event: { target: { value: string } }) => change({ [key]: event.target.value });
  return (
    <form className="filters" onSubmit={(event) => event.preventDefault()}>
      <Words name="text" type="search" placeholder="Name, place, host…" label="Text" view={view} change={change} />
      <select aria-label="State" value={view.state} onChange={select('state')}>
        <option value="">any state</option>
        {cameraStates.map((state) => (
          <option key={state} value={state}>
            {state}
          </option>
        ))}
      </select>
      <select aria-label="Cause" value={view.verdict} onChange={select('verdict')}>
        <option value="">any cause</option>
        {verdictOrder.map((verdict) => (
          <option key={verdict} value={verdict}>
            {nameOf(verdict)}
            {byVerdict[verdict] ? ` (${count(byVerdict[verdict])})` : ''}
          </option>
        ))}
      </select>
      <select aria-label="Agent" value={view.agent} onChange={select('agent')}>
        <option value="">any agent</option>
        {view.agent !== '' && !status.agents.some(({ name }) => name === view.agent) && <option>{view.agent}</option>}
        {status.agents.map(({ id, name }) => (
          <option key={id}>{name}</option>
        ))}
      </select>
      <button type="button" className="toggle" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        {isOpen ? 'fewer' : 'more'}
      </button>
      {isOpen && (
        <div className="more-filters">
          <Words name="host" placeholder="Host" label="Host" view={view} change={change} />
          <Words name="source" placeholder="Source" label="Source" view={view} change={change} />
          <Words name="tag" placeholder="Tag" label="Tag" view={view} change={change} />
          <Words name="country" placeholder="Country (US)" label="Country" whole={2} view={view} change={change} />
          <select aria-label="Kind" value={view.kind} onChange={select('kind')}>
            <option value="">any kind</option>
            <option value="ip">ip</option>
            <option value="non_ip">non_ip</option>
            <option value="stream">stream</option>
          </select>
          <select aria-label="Lifecycle" value={view.lifecycle} onChange={select('lifecycle')}>
            <option value="">not retired</option>
            <option value="active">active</option>
            <option value="paused">paused</option>
            <option value="retired">retired</option>
          </select>
        </div>
      )}
      <Chosen view={view} change={change} />
    </form>
  );
}

interface WordsProps extends ViewControl {
  name: FilterKey;
  label: string;
  placeholder: string;
  type?: 'search' | 'text';
  /** So many letters make a value; fewer are still being typed. */
  whole?: number;
}

/** What is typed shows at once; it becomes a condition when it is whole. */
function Words({ name, label, placeholder, type = 'text', whole, view, change }: WordsProps) {
  const [typed, setTyped] = useState(view[name]);
  useEffect(() => setTyped(view[name]), [view[name]]);
  return (
    <input
      type={type}
      aria-label={label}
      placeholder={placeholder}
      value={typed}
      {...(whole !== undefined && { maxLength: whole })}
      onChange={({ target: { value } }) => {
        setTyped(value);
        if (whole === undefined || value.length === whole || value === '') change({ [name]: value }, true);
      }}
    />
  );
}

/** The conditions that are set, each to be taken back. */
function Chosen({ view, change }: ViewControl) {
  const chosen = filterKeys.filter((key) => view[key] !== '');
  if (chosen.length === 0) return null;
  return (
    <div className="chosen-filters">
      {chosen.map((key) => (
        <button
          key={key}
          type="button"
          className="chip"
          onClick={() => change({ [key]: '' })}
          aria-label={`Remove ${key} ${view[key]}`}
        >
          {key === 'verdict' ? 'cause' : key} <b>{key === 'verdict' ? nameOf(view[key] as never) : view[key]}</b> ×
        </button>
      ))}
      {chosen.length > 1 && (
        <button type="button" className="link" onClick={() => change(NO_FILTER)}>
          clear all
        </button>
      )}
    </div>
  );
}
