import { z } from 'zod';
import {
  cameraKinds,
  credentialsSchema,
  DEFAULT_INTERVAL_MS,
  intervalMsSchema,
  lifecycles,
  prioritySchema,
} from '../../common/domain/camera.ts';
import { cameraStates } from '../../common/domain/health.ts';
import { parseActiveHours } from '../../common/domain/active-hours.ts';
import { isTimeZone, countryCode } from './places.ts';

export const DEFAULT_PRIORITY = 5;

// PostgreSQL takes no NUL, and terminals should get no control characters.
const text = (max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(max)
    .regex(/^[^\u0000-\u001f\u007f]*$/, 'holds control characters');
const path = text(1000).transform((value) => (value.startsWith('/') ? value : `/${value}`));
const pixels = z.number().int().min(1).max(100_000);
export const tagSchema = text(60);
/** Days and times in the camera's time zone, such as `Mo-Fr 06:00-20:00`. */
export const activeHoursSchema = z.string().transform((value, context) => {
  const hours = parseActiveHours(value);
  if (!('problem' in hours)) return hours.text;
  context.addIssue(hours.problem);
  return '';
});

/** What may be said about a camera besides how to reach it. */
const aboutSchema = z.object({
  name: text(300),
  latitude: z.number().min(-90).max(90),
  longitude: z.number().min(-180).max(180),
  country: z.string().transform((value, context) => {
    const code = countryCode(value);
    if (code === undefined) context.addIssue(`"${value.slice(0, 60)}" is no ISO 3166 country; write e.g. "US"`);
    return code ?? '';
  }),
  region: text(100),
  city: text(100),
  timeZone: text(60).refine(isTimeZone, 'is no IANA time zone such as "Europe/Berlin"'),
  width: pixels,
  height: pixels,
  /** Frames a second. */
  frameRate: z.number().min(0).max(1_000),
  intervalMs: intervalMsSchema,
  refreshIntervalMs: z
    .number()
    .int()
    .min(1)
    .max(31 * 86_400_000),
  priority: prioritySchema,
  activeHours: activeHoursSchema,
  tags: z
    .array(tagSchema)
    .max(50)
    .transform((tags) => [...new Set(tags)].toSorted()),
  lifecycle: z.enum(lifecycles),
  licence: text(200),
  attribution: text(500),
  terms: text(2000),
  referenceUrl: z.url({ protocol: /^https?$/ }).max(2000),
});

const reachSchema = z.object({
  scheme: z.enum(['http', 'https']),
  host: text(255),
  port: z.number().int().min(1).max(65_535),
  brand: text(60),
  model: text(60),
  snapshotPath: path,
  videoPath: path,
  snapshotUrl: text(2000),
  streamUrl: text(2000),
});

/**
 * A camera as people and files describe it. `kind` follows from the fields that are there; `sourceCameraId` from the address.
 * Credentials may stand in the URL or beside it. Lengths in ms and px, coordinates in degrees (WGS 84).
 */
export const cameraInputSchema = z.object({
  source: text(100),
  sourceCameraId: text(500).optional(),
  kind: z.enum(cameraKinds).optional(),
  ...reachSchema.partial().shape,
  ...aboutSchema.partial().shape,
  credentials: credentialsSchema.optional(),
});
export type CameraInput = z.input<typeof cameraInputSchema>;
export type ParsedCamera = z.output<typeof cameraInputSchema>;

const nullable = <Shape extends z.ZodRawShape>(shape: Shape) =>
  Object.fromEntries(
    Object.entries(shape).map(([key, schema]) => [key, z.nullable(schema as z.ZodType)]),
  ) as unknown as {
    [Key in keyof Shape]: z.ZodNullable<Shape[Key]>;
  };

const outSchema = z.object({
  brand: z.string(),
  model: z.string(),
  snapshotPath: z.string(),
  videoPath: z.string(),
  snapshotUrl: z.string(),
  streamUrl: z.string(),
  latitude: z.number(),
  longitude: z.number(),
  country: z.string(),
  region: z.string(),
  city: z.string(),
  timeZone: z.string(),
  width: z.number(),
  height: z.number(),
  frameRate: z.number(),
  refreshIntervalMs: z.number(),
  activeHours: z.string(),
  licence: z.string(),
  attribution: z.string(),
  terms: z.string(),
  referenceUrl: z.string(),
});

/** A camera as the API shows it; `null` where nothing is known. Instants are ISO 8601. Never any credentials. */
export const cameraSchema = z.object({
  id: z.number().int(),
  source: z.string(),
  sourceCameraId: z.string(),
  kind: z.enum(cameraKinds),
  scheme: z.enum(['http', 'https']).nullable(),
  host: z.string(),
  port: z.number().nullable(),
  ...nullable(outSchema.shape),
  name: z.string(),
  intervalMs: z.number(),
  priority: z.number(),
  tags: z.array(z.string()),
  lifecycle: z.enum(lifecycles),
  /** Captured at just this interval, even where the camera makes pictures less often. */
  intervalExactly: z.boolean(),
  /** Why it must not be fetched, where somebody asked for that. */
  takenDown: z.string().nullable(),
  hasCredentials: z.boolean(),
  /** How agents fetch it; `null` where it has no address for that. */
  transport: z.enum(['snapshot', 'mjpeg', 'file', 'hls', 'rtsp', 'rtmp']).nullable(),
  /** State of health. */
  state: z.enum(cameraStates),
  /** Verdict of its newest frame. */
  verdict: z.string().nullable(),
  createdAt: z.string(),
  updatedAt: z.string(),
  lastTriedAt: z.string().nullable(),
  lastGoodAt: z.string().nullable(),
});
export type Camera = z.infer<typeof cameraSchema>;

/** What an operator may set for one camera or for all that match a query. */
export const cameraChangeSchema = z
  .strictObject({
    intervalMs: intervalMsSchema.optional(),
    priority: prioritySchema.optional(),
    /** Capture at just that interval, even where the camera makes pictures less often. */
    intervalExactly: z.boolean().optional(),
    /** `24/7` captures always again. */
    activeHours: activeHoursSchema.optional(),
    /** Replaces all tags. */
    tags: z.array(tagSchema).max(50).optional(),
    addTags: z.array(tagSchema).max(50).optional(),
    removeTags: z.array(tagSchema).max(50).optional(),
  })
  .refine((change) => Object.values(change).some((value) => value !== undefined), {
    message: 'Nothing to set: give intervalMs, intervalExactly, activeHours, priority, tags, addTags or removeTags.',
  });
export type CameraChange = z.infer<typeof cameraChangeSchema>;

export { DEFAULT_INTERVAL_MS };
