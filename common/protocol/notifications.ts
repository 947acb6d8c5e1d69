import { z } from 'zod';
import { MAX_ACTIVE_HOURS, parseActiveHours } from '../domain/active-hours.ts';
import { cameraStates } from '../domain/health.ts';
import type { CameraState } from '../domain/health.ts';
import { verdictOrder } from '../domain/verdict.ts';
import type { Verdict } from '../domain/verdict.ts';

/**
 * Notifications under /api/v1/notifications, all for the role operator:
 *
 *   GET    /kinds                    kinds of channels, and what each wants to know
 *   GET    /channels                 POST /channels        GET, DELETE /channels/:name    POST /channels/:name/test
 *   GET    /rules                    POST /rules           GET, DELETE /rules/:name       POST /rules/:name/test
 *   GET    /deliveries               GET /deliveries/:id   POST /deliveries/:id/retry
 */
export const noticeEvents = ['incident', 'agent_silent', 'quota_full'] as const;
export type NoticeEvent = (typeof noticeEvents)[number];
export const incidentKinds = ['host', 'source', 'agent'] as const;
export type IncidentKind = (typeof incidentKinds)[number];

/** Names of rules and channels: they stand in URLs and subjects. */
export const notificationName = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$/, 'must be letters, digits, dots and dashes, at most 60');

const anyOf = <T extends z.ZodType>(item: T) => z.array(item).min(1).max(100).optional();
const word = z.string().trim().min(1).max(255);
const hours = z
  .string()
  .trim()
  .max(MAX_ACTIVE_HOURS)
  .superRefine((text, context) => {
    const parsed = parseActiveHours(text);
    if ('problem' in parsed) context.addIssue({ code: 'custom', message: parsed.problem });
  });
const timeZone = z
  .string()
  .max(60)
  .refine((zone) => isTimeZone(zone), 'must be a time zone such as Europe/Berlin');
const DAY_MS = 86_400_000;

/** What a rule is about, whom it tells, and how often. Absent filters let everything through. */
export const ruleInputSchema = z.strictObject({
  name: notificationName,
  channels: z.array(notificationName).min(1).max(20),
  events: z.array(z.enum(noticeEvents)).min(1).default(['incident']),
  /** What has the ill cameras; `agent` is an agent that is suspected itself. */
  kinds: anyOf(z.enum(incidentKinds)),
  states: anyOf(z.enum(cameraStates)),
  verdicts: anyOf(z.enum(verdictOrder as [Verdict, ...Verdict[]])),
  /** At least one of the ill cameras is of it. */
  sources: anyOf(word),
  countries: anyOf(z.string().regex(/^[A-Z]{2}$/, 'must be two capital letters')),
  regions: anyOf(word),
  tags: anyOf(word),
  /** What is over before is not told. */
  minimumMs: z.number().int().min(0).max(DAY_MS).default(60_000),
  /** From the first thing to tell until the message goes, which holds all that came meanwhile. */
  windowMs: z.number().int().min(0).max(DAY_MS).default(30_000),
  perHour: z.number().int().min(1).max(3_600).default(12),
  /** Outside of these hours everything waits and goes in one message when they begin. */
  hours: hours.optional(),
  timeZone: timeZone.default('UTC'),
  /** Tells the end of what it told the beginning of. */
  recovery: z.boolean().default(true),
});
export type RuleInput = z.output<typeof ruleInputSchema>;

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

export interface RuleRow extends RuleInput {
  id: number;
  createdBy: string;
  createdAt: number;
}

export interface ChannelRow {
  id: number;
  name: string;
  kind: string;
  /** Where it leads, without what must stay secret. */
  target: string;
  settings: Record<string, unknown>;
  /** Names of the secrets that it has. */
  secrets: string[];
  createdBy: string;
  createdAt: number;
}

export interface ChannelKindRow {
  kind: string;
  summary: string;
  settings: { name: string; about: string; required: boolean; secret: boolean }[];
}

/** What became of a test. */
export interface TestRow {
  channel: string;
  delivered: boolean;
  /** What the server said, or why it could not be asked. */
  answer: string;
}

export const deliveryStates = ['waiting', 'delivered', 'failed'] as const;
export type DeliveryState = (typeof deliveryStates)[number];

export interface DeliveryRow {
  id: number;
  rule: string;
  channel: string;
  subject: string;
  state: DeliveryState;
  attempts: number;
  answer: string | null;
  createdAt: number;
  triedAt: number | null;
  /** Not before; `null` once it is through. */
  nextAt: number | null;
  finishedAt: number | null;
}

export interface DeliveryReport extends DeliveryRow {
  message: NotificationMessage;
}

/** One incident or trouble of the fleet in a message. */
export interface NoticeItem {
  event: NoticeEvent;
  /** Of the incident, for `camfleet incidents show`; otherwise of the trouble. */
  id: number;
  kind: IncidentKind | 'fleet';
  /** Of host, source or agent, exactly as it names itself. */
  name: string;
  state: CameraState | null;
  verdict: Verdict | null;
  /** Cameras that are ill, or were when it ended. */
  cameras: number;
  /** ms. */
  since: number;
  until: number | null;
  /** In plain words. */
  reason: string;
  examples: { id: number; name: string }[];
  /** States of its cameras when it had ended. */
  now: Record<string, number> | null;
}

export interface NotificationMessage {
  rule: string;
  /** Both without control characters or angle brackets, whatever cameras call themselves. */
  subject: string;
  text: string;
  began: NoticeItem[];
  ended: NoticeItem[];
  /** Not listed, because the message would be too long. */
  unlisted: { began: number; ended: number };
  /** Came and went while the rule had to be silent. */
  passed: number;
  test: boolean;
}
