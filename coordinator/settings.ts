/** What the coordinator must be told; its main.ts takes it from the configuration. */
export interface CoordinatorSettings {
  dataFolder: string;
  listen: { host: string; port: number };
  databaseUrl: string | null;
  redisUrl: string | null;
  leases: { ttlSeconds: number; renewSeconds: number; offerSeconds: number; autonomySeconds: number };
  reports: { intervalSeconds: number };
  frames: { quotaBytes: number };
  observations: { retentionDays: number };
  planner: { intervalSeconds: number };
  /** What may be asked of one host by the whole fleet. */
  politeness: { concurrencyPerHost: number; minDelayMs: number };
  intake: { witness: boolean };
}
