import type { PromoteRule } from '../common/protocol/training.ts';

/** What the coordinator must be told; its main.ts takes it from the configuration. */
export interface CoordinatorSettings {
  dataFolder: string;
  listen: { host: string; port: number };
  databaseUrl: string | null;
  redisUrl: string | null;
  leases: { ttlSeconds: number; renewSeconds: number; offerSeconds: number; autonomySeconds: number };
  reports: { intervalSeconds: number };
  /** `sampleSeconds` 0: no regular samples. */
  frames: { quotaBytes: number; sampleSeconds: number };
  labels: { trustSceneHeader: string[] };
  observations: { retentionDays: number };
  training: {
    /** 0: only when asked. */
    everySeconds: number;
    /** Frames of one camera in a snapshot that is made for a run, at most. */
    perCamera: number;
    minimumNew: number;
    minimumPerClass: number;
    budgetSeconds: number | null;
    backbone: string | null;
    preset: string | null;
    passes: number | null;
    promote: PromoteRule;
    margin: number;
  };
  cameras: { allowFolders: boolean };
  planner: { intervalSeconds: number };
  /** What may be asked of one host by the whole fleet. */
  politeness: { concurrencyPerHost: number; minDelayMs: number };
  /** Private ranges in which mail servers and webhooks may lie. */
  notifications: { allow: string[] };
  intake: { witness: boolean };
}
