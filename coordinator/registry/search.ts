import { z } from 'zod';
import { cameraStates } from '../../common/domain/health.ts';
import { cameraKinds, lifecycles } from '../../common/domain/camera.ts';

const degrees = (most: number) => z.number().min(-most).max(most);

/** Which cameras are meant; all conditions must hold. Retired ones only where `lifecycle` names them. */
export const cameraFilterSchema = z.object({
  /** Words that must all occur in name, place, host, brand, source or id; where none has them, what looks alike. */
  text: z.string().trim().min(1).max(200).optional(),
  country: z.string().trim().toUpperCase().length(2).optional(),
  region: z.string().trim().min(1).max(100).optional(),
  city: z.string().trim().min(1).max(100).optional(),
  tag: z.string().trim().min(1).max(60).optional(),
  kind: z.enum(cameraKinds).optional(),
  lifecycle: z.enum(lifecycles).optional(),
  source: z.string().trim().min(1).max(100).optional(),
  host: z.string().trim().toLowerCase().min(1).max(255).optional(),
  /** State of health. */
  state: z.enum(cameraStates).optional(),
  /** Verdict of the newest frame. */
  verdict: z.string().trim().min(1).max(40).optional(),
  /** Name or id of the agent that tried it last. */
  agent: z.string().trim().min(1).max(100).optional(),
  /** Belongs to this incident, or belonged to it where it is over. */
  incident: z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER).optional(),
  /** Degrees; where west is greater than east the box goes across the date line. */
  box: z.object({ west: degrees(180), south: degrees(90), east: degrees(180), north: degrees(90) }).optional(),
  /** Great circle. */
  near: z.object({ latitude: degrees(90), longitude: degrees(180), km: z.number().positive().max(20_038) }).optional(),
  ids: z.array(z.number().int().positive()).max(10_000).optional(),
});
export type CameraFilter = z.infer<typeof cameraFilterSchema>;

/** Conditions on `cameras c` (and `camera_state s` where a verdict is asked), with their parameters. */
export interface Conditions {
  where: string;
  params: unknown[];
}

/** Escapes what LIKE reads as patterns. */
const literal = (word: string): string => word.replaceAll(/[\\%_]/g, '\\$&');

/** `forgiving` looks for text that is like the words, instead of the words: slow, and never for changes. */
export function conditionsOf(filter: CameraFilter, stateTable: boolean, forgiving = false): Conditions {
  const params: unknown[] = [];
  const parts: string[] = [];
  const param = (value: unknown): string => `$${params.push(value)}`;
  const equals = (column: string, value: unknown): void => {
    if (value !== undefined) parts.push(`${column} = ${param(value)}`);
  };

  if (filter.lifecycle === undefined) parts.push(`c.lifecycle <> 'retired'`);
  else equals('c.lifecycle', filter.lifecycle);
  equals('c.country', filter.country);
  for (const column of ['region', 'city'] as const) {
    if (filter[column] !== undefined) parts.push(`lower(c.${column}) = lower(${param(filter[column])})`);
  }
  equals('c.kind', filter.kind);
  equals('c.source', filter.source);
  equals('c.host', filter.host);
  if (filter.tag !== undefined) parts.push(`c.tags @> array[${param(filter.tag)}]::text[]`);
  if (filter.ids !== undefined) parts.push(`c.id = any(${param(filter.ids)}::int[])`);
  if (filter.verdict !== undefined) parts.push(stateTable ? `s.verdict = ${param(filter.verdict)}` : 'false');
  if (filter.state !== undefined) parts.push(stateTable ? stateCondition(filter.state, param) : 'false');
  if (filter.agent !== undefined) parts.push(stateTable ? agentCondition(filter.agent, param) : 'false');
  if (filter.incident !== undefined) parts.push(stateTable ? incidentCondition(filter.incident, param) : 'false');
  if (filter.text !== undefined) parts.push(textCondition(filter.text, param, forgiving));
  if (filter.box) parts.push(boxCondition(filter.box, param));
  if (filter.near) parts.push(nearCondition(filter.near, param));
  return { where: parts.join(' and '), params };
}

type Param = (value: unknown) => string;

/** A camera without a row was never looked at; the few that are ill are found by the index. */
function stateCondition(state: NonNullable<CameraFilter['state']>, param: Param): string {
  const isIt = `c.id in (select camera_id from camera_health where state = ${param(state)})`;
  if (state !== 'unknown' && state !== 'paused') return isIt;
  const paused = 'camera_is_paused(c, clock_timestamp())';
  const without = 'not exists (select from camera_health h where h.camera_id = c.id)';
  return `(${isIt} or (${without} and ${state === 'paused' ? paused : `not ${paused}`}))`;
}

function agentCondition(agent: string, param: Param): string {
  const name = param(agent);
  return `s.agent_id in (select id from agents where name = ${name} or id::text = ${name})`;
}

const incidentCondition = (incident: number, param: Param): string =>
  `c.id in (select m.camera_id from incident_cameras m join incidents i on i.id = m.incident_id
     where i.id = ${param(incident)} and (m.left_at is null or i.closed_at is not null))`;

function textCondition(text: string, param: Param, forgiving: boolean): string {
  if (forgiving) return `${param(text.toLowerCase())} <% c.search_text`;
  const words = text.toLowerCase().split(/\s+/).slice(0, 10);
  return words.map((word) => `c.search_text like ${param(`%${literal(word)}%`)}`).join(' and ');
}

function boxCondition({ west, south, east, north }: NonNullable<CameraFilter['box']>, param: Param): string {
  const [from, to] = [param(west), param(east)];
  const longitude =
    west <= east ? `c.longitude between ${from} and ${to}` : `(c.longitude >= ${from} or c.longitude <= ${to})`;
  return `c.latitude between ${param(south)} and ${param(north)} and ${longitude}`;
}

function nearCondition({ latitude, longitude, km }: NonNullable<CameraFilter['near']>, param: Param): string {
  const centre = `ll_to_earth(${param(latitude)}::float8, ${param(longitude)}::float8)`;
  const metres = `${param(km * 1_000)}::float8`;
  const camera = 'll_to_earth(c.latitude, c.longitude)';
  // The box of the chord is what the index can answer; the corners of the box are cut by the distance.
  return `c.latitude is not null and earth_box(${centre}, ${metres}) @> ${camera}
    and earth_distance(${centre}, ${camera}) <= ${metres}`;
}
