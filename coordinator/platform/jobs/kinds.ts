import { z } from 'zod';

/** What a kind of job takes and how often it runs. One line here and a handler in the composition root add a kind. */
export interface JobKindDefinition<Params extends z.ZodType = z.ZodType> {
  params: Params;
  /** Attempts at most, with growing pauses between them. */
  maxAttempts: number;
  /**
   * Repeats: due whenever the seconds since the epoch (UTC), less the offset, are a multiple of `seconds`, so 86,400 with an
   * offset of 300 is daily at 00:05. A repetition that is still open when the next one is due takes its place.
   */
  every?: { seconds: number; offsetSeconds?: number };
}

export type JobKinds = Readonly<Record<string, JobKindDefinition>>;

const none = z.strictObject({});
const DAY = 86_400;

export const jobKinds = {
  /** Makes the partitions of the coming days. */
  'partitions.upkeep': { params: none, maxAttempts: 5, every: { seconds: 3_600 } },
  /** Drops the partitions of days that are past retention. */
  'observations.retention': { params: none, maxAttempts: 5, every: { seconds: DAY, offsetSeconds: 900 } },
  /** Brings kept frames back under their quota. */
  'frames.evict': { params: none, maxAttempts: 3, every: { seconds: 60 } },
  /** Looks whether to train anew; repeats where the configuration says so. */
  'training.run': { params: none, maxAttempts: 3 },
  /** One attempt at a notification; the delivery itself says when the next one is due. */
  'notifications.deliver': { params: z.strictObject({ deliveryId: z.number().int().positive() }), maxAttempts: 3 },
  /** Imports an uploaded camera file, which lies in the object store. */
  'cameras.import': {
    params: z.object({
      objectKey: z.string(),
      fileName: z.string(),
      format: z.enum(['csv', 'json', 'jsonl', 'geojson']).optional(),
      source: z.string().optional(),
      sync: z.boolean().default(false),
    }),
    maxAttempts: 2,
  },
} satisfies JobKinds;

/** The same kinds with these repeating every so many seconds; 0: not at all. */
export function withSchedule<Kinds extends JobKinds>(
  kinds: Kinds,
  schedule: Partial<Record<keyof Kinds, number>>,
): Kinds {
  const repeated = Object.entries(schedule).flatMap(([kind, seconds]) =>
    typeof seconds === 'number' && seconds > 0 ? [[kind, { ...kinds[kind], every: { seconds } }]] : [],
  );
  return { ...kinds, ...(Object.fromEntries(repeated) as Partial<Kinds>) };
}
