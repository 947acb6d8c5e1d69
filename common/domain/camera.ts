import { z } from 'zod';

export const cameraKinds = ['ip', 'non_ip', 'stream'] as const;
export const lifecycles = ['candidate', 'active', 'paused', 'retired'] as const;
export type Lifecycle = (typeof lifecycles)[number];

/** Database identity of a camera: a positive integer, never used again. */
export const cameraIdSchema = z.number().int().positive();

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
