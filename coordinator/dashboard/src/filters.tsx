import { useEffect, useState } from 'react';
import type { cameraKinds } from '../../../common/domain/camera.ts';
import { cameraStates } from '../../../common/domain/health.ts';
import { verdictOrder } from '../../../common/domain/verdict.ts';
import type { FleetStatus } from '../../../common/protocol/status.ts';
import { NO_FILTER, filterKeys } from './view.ts';
import type { FilterKey, ViewControl } from './view.ts';
import { count, nameOf } from './words.ts';

type FiltersProps = ViewControl & { status: FleetStatus };

const KINDS = ['ip', 'non_ip', 'stream'] as const satisfies typeof cameraKinds;
/** Candidates are none of the fleet's cameras yet. */
const LIFECYCLES = ['active', 'paused', 'retired'] as const;
const MORE: FilterKey[] = ['host', 'source', 'tag', 'country', 'kind', 'lifecycle'];

/** Conditions on cameras. The server applies them, and they stand in the address. */
export function Filters({ view, change, status }: FiltersProps) {
  const { byVerdict } = status.cameras;
  const [isOpen, setOpen] = useState(() => MORE.some((key) => view[key] !== ''));
  const agents = status.agents.map(({ name }) => name);
  const control = { view, change };
  return (
    <form className="filters" onSubmit={(event) => event.preventDefault()}>
      <Words name="text" type="search" placeholder="Name, place, host…" label="Text" {...control} />
      <Choice name="state" label="State" none="any state" values={cameraStates} {...control} />
      <Choice
        {...{ name: 'verdict', label: 'Cause', none: 'any cause', values: verdictOrder }}
        words={(verdict) => `${nameOf(verdict)}${byVerdict[verdict] ? ` (${count(byVerdict[verdict])})` : ''}`}
        {...control}
      />
      <Choice name="agent" label="Agent" none="any agent" values={agents} {...control} />
      <button type="button" className="toggle" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        {isOpen ? 'fewer' : 'more'}
      </button>
      {isOpen && (
        <div className="more-filters">
          <Words name="host" placeholder="Host" label="Host" {...control} />
          <Words name="source" placeholder="Source" label="Source" {...control} />
          <Words name="tag" placeholder="Tag" label="Tag" {...control} />
          <Words name="country" placeholder="Country (US)" label="Country" whole={2} {...control} />
          <Choice name="kind" label="Kind" none="any kind" values={KINDS} {...control} />
          <Choice name="lifecycle" label="Lifecycle" none="not retired" values={LIFECYCLES} {...control} />
        </div>
      )}
      <Chosen {...control} />
    </form>
  );
}

interface ChoiceProps<T extends string> extends ViewControl {
  name: FilterKey;
  label: string;
  /** What it says where nothing is chosen. */
  none: string;
  values: readonly T[];
  words?: (value: T) => string;
}

/** One of a list. What the address asks for is shown, also where the list lacks it. */
function Choice<T extends string>({ name, label, none, values, words, view, change }: ChoiceProps<T>) {
  const chosen = view[name];
  const isMissing = chosen !== '' && !values.some((value) => value === chosen);
  return (
    <select aria-label={label} value={chosen} onChange={({ target: { value } }) => change({ [name]: value })}>
      <option value="">{none}</option>
      {isMissing && <option>{chosen}</option>}
      {values.map((value) => (
        <option key={value} value={value}>
          {words ? words(value) : value}
        </option>
      ))}
    </select>
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
