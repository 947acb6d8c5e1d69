import type { CameraMemory } from '../../common/domain/fragment.ts';
import type { Logger } from '../../common/runtime/logger.ts';
import type { ObjectStore } from '../../common/storage/object-store.ts';
import type { Database } from '../platform/database/database.ts';
import { Frames } from './frames.ts';
import type { FramesOptions } from './frames.ts';
import { Intake } from './intake.ts';
import { LatestPictures } from './latest.ts';
import { Partitions } from './partitions.ts';
import { ResultQueries } from './queries.ts';
import { deleteOldReceipts } from './session-repository.ts';
import { Traffic } from './traffic.ts';
import { forgetUnfulfilled } from './wants.ts';
import type { WindowService } from './window.ts';

export interface ResultsDeps {
  database: Database;
  objects: ObjectStore;
  /** Of the fleet room. */
  window: WindowService;
  logger: Logger;
  settings: ResultsSettings;
  /** Called in the transaction that keeps a picture. */
  onKept?: FramesOptions['onKept'];
}

export interface ResultsSettings {
  /** How long agents collect before they report, ms. */
  reportMs: number;
  /** Room for kept frames, bytes. */
  quotaBytes: number;
  /** Days that observations are kept. */
  retentionDays: number;
  /** Least time between two regular samples of a camera, ms. Default: none are taken. */
  sampleMs?: number;
  /** Records the id of every counted attempt: for tests only. */
  witness?: boolean;
}

/** Kind of job → handler; each may run twice, and at several places at once. */
export type ResultJobs = Record<
  'partitions.upkeep' | 'observations.retention' | 'frames.evict',
  () => Promise<unknown>
>;

export interface Results {
  intake: Intake;
  frames: Frames;
  latest: LatestPictures;
  partitions: Partitions;
  queries: ResultQueries;
  memoriesOf(cameraIds: number[]): Promise<Map<number, CameraMemory>>;
  jobs: ResultJobs;
}

const RECEIPT_DAYS = 7;
/** An agent has one batch in flight; one that was copied or restored may be this far behind. */
const RECEIPTS_PER_SESSION = 1_000;

/** Everything about what agents report. Nothing runs by itself: intake and jobs are called. */
export function createResults({ database, objects, window, logger, settings, onKept }: ResultsDeps): Results {
  const traffic = new Traffic();
  const { quotaBytes } = settings;
  const frames = new Frames({ database, objects, quotaBytes, traffic, logger, ...(onKept && { onKept }) });
  const partitions = new Partitions(database);
  const queries = new ResultQueries(database);
  const intake = new Intake({
    ...{ database, window, traffic, reportMs: settings.reportMs, witness: settings.witness ?? false },
    keepsFrames: () => frames.keeps,
    sampleMs: settings.sampleMs ?? 0,
  });
  const jobs: ResultJobs = {
    'partitions.upkeep': async () => {
      const upkeep = await partitions.upkeep(await database.clockNow());
      const receipts = await deleteOldReceipts(database, RECEIPT_DAYS * 86_400_000, RECEIPTS_PER_SESSION);
      return { ...upkeep, receipts };
    },
    'observations.retention': async () => ({
      dropped: await partitions.dropOld(await database.clockNow(), settings.retentionDays),
      wishes: await forgetUnfulfilled(database),
    }),
    'frames.evict': () => frames.evict(),
  };
  return {
    intake,
    frames,
    latest: new LatestPictures(traffic),
    partitions,
    queries,
    jobs,
    memoriesOf: (ids) => queries.memoriesOf(ids),
  };
}
