import type { Evaluation, TrainingReport } from '../../../common/domain/training.ts';
import type { TrainingRun, TrainingRunSummary } from '../../../common/protocol/training.ts';
import type { FleetStatus } from '../../../common/protocol/status.ts';
import { ClassBars } from './class-bars.tsx';
import { useTraining } from './use-training.ts';
import { age, count, share } from './words.ts';

/** What is being trained, what came of it, and what the agents run. */
export function Training({ status }: { status: FleetStatus }) {
  const { newest, trained } = useTraining();
  if (newest === undefined) return null;
  return (
    <section className="card training" aria-label="Training">
      <h2>Training</h2>
      {newest === null ? (
        <p className="hint">
          No run yet. The schedule begins one when there are enough labels, <code>camfleet training start</code> at
          once.
        </p>
      ) : (
        <Run run={newest} />
      )}
      {trained?.report && <Outcome run={trained} report={trained.report} />}
      <InForce status={status} trained={trained} />
    </section>
  );
}

const TONE: Record<TrainingRunSummary['state'], string> = {
  waiting: 'none',
  running: 'odd',
  succeeded: 'good',
  failed: 'bad',
  cancelled: 'none',
};

function Run({ run }: { run: TrainingRunSummary }) {
  const { state, progress, createdAt, finishedAt, decision, error } = run;
  const done = state === 'running' && progress ? doneOf(progress) : 0;
  return (
    <div className="run">
      <p>
        <span className={`verdict tone-${TONE[state]}`}>{state}</span> run {run.id}, asked for by {run.askedBy}{' '}
        {age(finishedAt ?? createdAt, Date.now())} ago
      </p>
      {state === 'running' && (
        <>
          <progress value={done} max={1} aria-label="Training done" />
          <p className="hint">{goesOn(run)}</p>
        </>
      )}
      {state === 'waiting' && <p className="hint">{error ?? 'Waits for a trainer: camfleet trainer'}</p>}
      {decision && <p className="hint">Model {decision}.</p>}
      {state === 'failed' && <p className="problem">{error}</p>}
    </div>
  );
}

/** M0 and M1 train one after the other, equally long. */
const doneOf = ({ run, iteration, iterations }: NonNullable<TrainingRunSummary['progress']>): number =>
  (run === 'm0' ? 0 : 0.5) + iteration / iterations / 2;

function goesOn({ progress, note }: TrainingRunSummary): string {
  if (progress === null || note !== 'trains') return note ?? 'begins';
  const { run, iteration, iterations, macroF1, etaSeconds } = progress;
  return `${run.toUpperCase()}, pass ${iteration} of ${iterations}: macro F1 ${macroF1.toFixed(2)} on the reference part, about ${Math.ceil(etaSeconds)} s left`;
}

function Outcome({ run, report }: { run: TrainingRun; report: TrainingReport }) {
  const { test, counts, fusion, dataset } = report;
  const sum = (numbers: readonly number[]): string => count(numbers.reduce((total, n) => total + n, 0));
  return (
    <>
      <table className="figures">
        <caption>
          Run {run.id} on {count(test.fused.images)} test images
        </caption>
        <thead>
          <tr>
            <th scope="col">model</th>
            <th scope="col">accuracy</th>
            <th scope="col">macro F1</th>
          </tr>
        </thead>
        <tbody>
          <Figures name="M0, plain" figures={test.m0} />
          <Figures name="M1, dynamic" figures={test.m1} />
          <Figures name="fused" figures={test.fused} />
        </tbody>
      </table>
      <ClassBars report={report} />
      <dl>
        <dt>T_r</dt>
        <dd title={fusion.rule}>{fusion.kind === 'mean' ? 'none: the mean decides' : fusion.threshold.toFixed(3)}</dd>
        <dt>dataset</dt>
        <dd>
          {dataset.name}: {sum(counts.training)} training, {sum(counts.reference)} reference, {sum(counts.test)} test
          images
        </dd>
        <dt>split</dt>
        <dd>{dataset.split}</dd>
        <dt>engine</dt>
        <dd>{report.engine}</dd>
        <dt>network</dt>
        <dd>
          {report.network}, preset {report.preset}; {report.weights}
        </dd>
        <dt>took</dt>
        <dd>{Math.round(report.seconds)} s</dd>
      </dl>
    </>
  );
}

function Figures({ name, figures }: { name: string; figures: Evaluation }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{share(figures.accuracy)}</td>
      <td>{figures.macroF1.toFixed(3)}</td>
    </tr>
  );
}

function InForce({ status: { model, agents }, trained }: { status: FleetStatus; trained: TrainingRun | null }) {
  if (!model) return <p className="hint in-force">No model is in force yet.</p>;
  const running = agents.filter(({ modelVersion }) => modelVersion === model.version).map(({ name }) => name);
  const others = agents.filter(
    ({ state, modelVersion }) => state === 'online' && modelVersion !== model.version,
  ).length;
  const figures = trained?.modelVersion === model.version ? trained.figures : null;
  return (
    <p className="in-force">
      In force: <b title={model.version}>{model.version.slice(0, 12)}</b> {model.name}
      {figures && `, accuracy ${share(figures.accuracy)}, macro F1 ${figures.macroF1.toFixed(3)}`}.{' '}
      <span className="hint">
        {running.length > 0 ? `On ${running.join(', ')}.` : 'On no agent yet.'}
        {others > 0 && ` ${count(others)} ${others === 1 ? 'agent proves' : 'agents prove'} it first.`}
      </span>
    </p>
  );
}
