import { cameraStates } from '../../../common/domain/health.ts';
import type { CameraState } from '../../../common/domain/health.ts';
import type { HealthSummary } from '../../../common/protocol/health.ts';
import { STATE_WORDS, StateMark } from './states.tsx';
import type { ViewControl } from './view.ts';
import { Worst } from './worst.tsx';
import { age, count, plural, share } from './words.ts';

interface HealthProps extends ViewControl {
  health: HealthSummary;
  /** Of the cameras that the other conditions leave; the whole fleet's where there are none. */
  selected: HealthSummary['states'] | null;
}

/** The fleet by state of health. Each state is a filter. */
export function Health({ health, selected, view, change }: HealthProps) {
  const states = selected ?? health.states;
  const total = cameraStates.reduce((sum, state) => sum + (states[state] ?? 0), 0);
  const shown = cameraStates.filter((state) => (states[state] ?? 0) > 0);
  const words = shown.map((state) => `${count(states[state] ?? 0)} ${state}`).join(', ');
  return (
    <section className="card health" aria-labelledby="health-title">
      <h2 id="health-title">
        Health{' '}
        <small>{selected ? `of the ${plural(total, 'camera')} selected` : `of ${plural(total, 'camera')}`}</small>
      </h2>
      <div className="bar" role="img" aria-label={words || 'no cameras'}>
        {shown.map((state) => (
          <i
            key={state}
            className={`fill state-${state}${view.state && view.state !== state ? ' other' : ''}`}
            style={{ flexGrow: states[state] ?? 0 }}
            title={`${count(states[state] ?? 0)} ${state}`}
          />
        ))}
      </div>
      <div className="states" role="group" aria-label="Filter by state">
        {cameraStates.map((state) => (
          <StateFilter
            key={state}
            state={state}
            cameras={states[state] ?? 0}
            total={total}
            isOn={view.state === state}
            onToggle={() => change({ state: view.state === state ? '' : state })}
          />
        ))}
      </div>
      <Suspects health={health} change={change} />
      <Worst change={change} />
    </section>
  );
}

interface StateFilterProps {
  state: CameraState;
  cameras: number;
  total: number;
  isOn: boolean;
  onToggle: () => void;
}

function StateFilter({ state, cameras, total, isOn, onToggle }: StateFilterProps) {
  return (
    <button
      className={`state-filter${cameras === 0 ? ' none' : ''}`}
      aria-pressed={isOn}
      title={STATE_WORDS[state]}
      onClick={onToggle}
    >
      <span>
        <StateMark state={state} /> {state}
      </span>
      <b>{count(cameras)}</b>
      <small>{cameras === 0 ? ' ' : share(cameras / total)}</small>
    </button>
  );
}

/** Agents whose cameras fail together. */
function Suspects({ health, change }: Pick<HealthProps, 'health' | 'change'>) {
  if (health.suspects.length === 0) return null;
  return (
    <ul className="suspects" role="alert">
      {health.suspects.map(({ id, name, since, reason }) => (
        <li key={id}>
          <b>Suspected for {age(since, Date.now())}.</b> {reason}{' '}
          <button className="link" onClick={() => change({ agent: name })}>
            its cameras
          </button>
        </li>
      ))}
    </ul>
  );
}
