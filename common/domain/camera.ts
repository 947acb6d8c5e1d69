import { z } from 'zod';

export const cameraKinds = ['ip', 'non_ip', 'stream'] as const;
export const lifecycles = ['candidate', 'active', 'paused', 'retired'] as const;
export type Lifecycle = (typeof lifecycles)[number];

/** Database identity of a camera: a positive integer, never used again. */
export const cameraIdSchema = z.number().int().positive();
export type CameraId = number;

const text = (max: number) => z.string().trim().min(1).max(max);
const url = z.url({ protocol: /^(https?|rtsp|rtmp)$/ }).max(2000);

/**
 * How to reach a camera, by the kinds of the paper: `ip` has a web server of its own, `non_ip` is a snapshot URL on somebody's
 * web server, `stream` is HLS, RTMP or RTSP. URLs and hosts carry no credentials: those have a column of their own.
 */
export const retrievalSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('ip'),
    scheme: z.enum(['http', 'https']).default('http'),
    host: text(255),
    port: z.number().int().min(1).max(65_535).default(80),
    brand: text(60).optional(),
    model: text(60).optional(),
    snapshotPath: text(1000).optional(),
    videoPath: text(1000).optional(),
  }),
  z.object({ kind: z.literal('non_ip'), snapshotUrl: url }),
  z.object({ kind: z.literal('stream'), streamUrl: url }),
]);
export type Retrieval = z.infer<typeof retrievalSchema>;

export const placeSchema = z.object({
  /** Degrees, WGS 84. */
  latitude: z.number().min(-90).max(90),
  longitude: z.number().min(-180).max(180),
});
export type Place = z.infer<typeof placeSchema>;

/** Priority 0 (stretched first) to 9 (stretched last). */
export const prioritySchema = z.number().int().min(0).max(9);

/** Capture interval that an operator may ask for: a second to a week. */
export const intervalMsSchema = z
  .number()
  .int()
  .min(1_000)
  .max(7 * 86_400_000);
export const DEFAULT_INTERVAL_MS = 60_000;

export const credentialsSchema = z.object({ user: z.string().max(200), password: z.string().max(200) });
export type Credentials = z.infer<typeof credentialsSchema>;
