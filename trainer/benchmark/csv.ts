import { csv } from '../report/csv.ts';
import { figureNames } from './judge.ts';
import type { BenchmarkReport } from './document.ts';

/** One line a profile, row and ground: means, deviations, paired differences to M0. RFC 4180, with a heading. */
export function rowsCsv({ rows, differences }: BenchmarkReport): string {
  const heading = ['profile', 'row', 'ground', 'runs', ...figureNames.flatMap((name) => [name, `${name}_sd`, `${name}_to_m0`, `${name}_lower`, `${name}_upper`, `${name}_wins`])]; // prettier-ignore
  const lines = rows.flatMap(({ name, profiles }) =>
    Object.entries(profiles).flatMap(([profile, { runs, figures }]) =>
      Object.entries(figures).map(([ground, means]) => {
        const compared = differences[ground as 'nat']?.profiles[profile]?.[name];
        return [profile, name, ground, runs, ...figureNames.flatMap((figure) => {
          const to = compared?.[figure];
          return [means[figure], means.sd[figure], to?.mean, to?.lower, to?.upper, to?.wins];
        })]; // prettier-ignore
      }),
    ),
  );
  return csv([heading, ...lines]);
}

/** One line a profile and class: counts, P/N ratio, views, F1 of every row. */
export function classesCsv({ classes, profiles, rows }: BenchmarkReport): string {
  const heading = ['profile', 'class', 'training', 'reference', 'test', 'ratio', 'views', ...rows.map(({ name }) => `f1 ${name}`)]; // prettier-ignore
  const lines = profiles.flatMap(({ name, counts, ratios, views }) =>
    classes.map((label, j) => [
      ...[name, label, counts.training[j], counts.reference[j], counts.test[j], ratios[j], views[j]],
      ...rows.map((row) => row.profiles[name]?.f1[j]),
    ]),
  );
  return csv([heading, ...lines]);
}
