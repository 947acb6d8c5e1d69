import type { TrainingReport } from '../../../common/domain/training.ts';
import { count } from './words.ts';

/** More rows than this say less than the report does. */
const MOST_ROWS = 24;

/** F1 of each class by M0 and by the fused model, the rarest class first: it is what fusion is for. */
export function ClassBars({ report }: { report: TrainingReport }) {
  const { test, ratios, counts, dataset } = report;
  const lastSample = report.iterations.filter(({ run }) => run === 'm1').at(-1)?.sampleSizes;
  const rows = dataset.classes
    .map((label, j) => ({
      label,
      ratio: ratios[j] ?? 0,
      images: counts.training[j] ?? 0,
      sample: lastSample?.[j],
      tested: test.fused.perClass[j]?.support ?? 0,
      m0: test.m0.perClass[j]?.f1 ?? 0,
      fused: test.fused.perClass[j]?.f1 ?? 0,
    }))
    .toSorted((a, b) => a.ratio - b.ratio);
  return (
    <table className="classes">
      <caption>
        <i className="series-m0" /> M0 <i className="series-fused" /> fused: F1 by class, rarest first
      </caption>
      <thead>
        <tr>
          <th scope="col">class</th>
          <th scope="col">F1</th>
          <th scope="col" title="Positives over negatives in the training part">
            P/N
          </th>
          <th scope="col" title="Training images, and samples of the class in M1's last pass">
            images
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.slice(0, MOST_ROWS).map(({ label, ratio, images, sample, tested, m0, fused }) => (
          <tr key={label}>
            <th scope="row">{label}</th>
            <td title={`F1 ${m0.toFixed(2)} by M0, ${fused.toFixed(2)} fused, on ${tested} test images`}>
              {tested > 0 ? (
                <span className="pair">
                  <i className="series-m0" style={{ width: `${m0 * 100}%` }} />
                  <i className="series-fused" style={{ width: `${fused * 100}%` }} />
                </span>
              ) : (
                <small>no test image</small>
              )}
            </td>
            <td>{ratio.toFixed(3)}</td>
            <td>
              {count(images)}
              {sample !== undefined && <small> → {count(sample)}</small>}
            </td>
          </tr>
        ))}
      </tbody>
      {rows.length > MOST_ROWS && (
        <tfoot>
          <tr>
            <td colSpan={4}>and {rows.length - MOST_ROWS} more frequent ones</td>
          </tr>
        </tfoot>
      )}
    </table>
  );
}
