import { join } from 'node:path';
import { trainingReportSchema } from '../../common/domain/training.ts';
import type { TrainingReport } from '../../common/domain/training.ts';
import { writeDurably } from '../../common/storage/object-store.ts';
import { classesCsv, iterationsCsv } from './csv.ts';
import { reportPage } from './page.ts';

/** Names of what `writeReport` leaves in a folder. */
export const REPORT_FILES = { json: 'report.json', page: 'report.html', classes: 'classes.csv', iterations: 'iterations.csv' } as const; // prettier-ignore

/** The same report for programs, for people and for spreadsheets. */
export async function writeReport(folder: string, report: TrainingReport): Promise<void> {
  const checked = trainingReportSchema.parse(report);
  const files = {
    [REPORT_FILES.json]: `${JSON.stringify(checked, null, 1)}\n`,
    [REPORT_FILES.page]: reportPage(checked),
    [REPORT_FILES.classes]: classesCsv(checked),
    [REPORT_FILES.iterations]: iterationsCsv(checked),
  };
  for (const [name, content] of Object.entries(files)) await writeDurably(join(folder, name), Buffer.from(content));
}
