import { join } from 'node:path';
import { writeDurably } from '../../common/storage/object-store.ts';
import { classesCsv, rowsCsv } from './csv.ts';
import { benchmarkPage } from './page.ts';
import type { BenchmarkReport } from './document.ts';

/** Names of what a benchmark leaves in its folder beside its caches. */
export const BENCHMARK_FILES = { json: 'report.json', page: 'report.html', rows: 'rows.csv', classes: 'classes.csv' } as const; // prettier-ignore

/** The same report for programs, for people and for spreadsheets. */
export async function writeBenchmark(folder: string, report: BenchmarkReport): Promise<void> {
  const files = {
    [BENCHMARK_FILES.json]: `${JSON.stringify(report, null, 1)}\n`,
    [BENCHMARK_FILES.page]: benchmarkPage(report),
    [BENCHMARK_FILES.rows]: rowsCsv(report),
    [BENCHMARK_FILES.classes]: classesCsv(report),
  };
  for (const [name, content] of Object.entries(files)) await writeDurably(join(folder, name), Buffer.from(content));
}
