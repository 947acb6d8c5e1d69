import { PART_SHARES, parts } from '../../../common/domain/dataset.ts';
import type { Part } from '../../../common/domain/dataset.ts';
import type { Queryable } from '../../platform/database/queries.ts';

/** Cameras by part. */
export type PartCounts = Record<Part, number>;

/** Every class has a training camera first, then one to be judged on, then one to be steered by. */
const FIRST: readonly Part[] = ['training', 'test', 'reference'];

/** The part that a class with these cameras lacks most: an empty one, else the one furthest below its share. */
export function lackingPart(counts: PartCounts): Part {
  const empty = FIRST.find((part) => counts[part] === 0);
  if (empty) return empty;
  const total = parts.reduce((sum, part) => sum + counts[part], 1);
  const lack = (part: Part): number => PART_SHARES[part] * total - counts[part];
  return FIRST.reduce((best, part) => (lack(part) > lack(best) ? part : best));
}

interface LabelUse {
  /** All cameras of the label, those without part too. */
  cameras: number;
  counts: PartCounts;
}

/**
 * Fixes the part of each of these cameras that has a label and no part yet. One transaction at a time does so, until it
 * commits: two labels that arrive together must not both fill the same gap.
 */
export async function fixParts(tx: Queryable, cameraIds: readonly number[]): Promise<void> {
  const newcomers = 'select from camera_parts p where p.camera_id = c.id';
  const without = (ids: readonly number[]) =>
    tx.many<{ id: number }>(
      `select id from unnest($1::bigint[]) as c(id) where not exists (${newcomers}) order by id`,
      [ids],
    );
  // Nearly always nobody is new: no lock then.
  if ((await without(cameraIds)).length === 0) return;
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('camfleet.camera-parts', 0))`);
  const ids = (await without(cameraIds)).map(({ id }) => id);
  const labels = await labelsOf(tx, ids);
  const uses = await usesOf(tx, [...new Set([...labels.values()].flat())]);
  const rows = [...labels].map(([cameraId, own]) => {
    const label = rarest(own, uses);
    const part = lackingPart((uses.get(label) as LabelUse).counts);
    for (const each of own) (uses.get(each) as LabelUse).counts[part]++;
    return { cameraId, part, label };
  });
  await tx.query(
    `insert into camera_parts (camera_id, part, label)
     select "cameraId", part, label from json_to_recordset($1::json) as r("cameraId" bigint, part text, label text)
     on conflict do nothing`,
    [JSON.stringify(rows)],
  );
}

async function labelsOf(tx: Queryable, cameraIds: readonly number[]): Promise<Map<number, string[]>> {
  const rows = await tx.many<{ cameraId: number; labels: string[] }>(
    `select camera_id as "cameraId", array_agg(distinct label) as labels from annotations
     where camera_id = any($1::bigint[]) and replaced_at is null group by camera_id order by camera_id`,
    [cameraIds],
  );
  return new Map(rows.map(({ cameraId, labels }) => [cameraId, labels]));
}

async function usesOf(tx: Queryable, labels: readonly string[]): Promise<Map<string, LabelUse>> {
  const rows = await tx.many<{ label: string; part: Part | null; cameras: number }>(
    `select a.label, p.part, count(distinct a.camera_id) as cameras
     from annotations a left join camera_parts p on p.camera_id = a.camera_id
     where a.label = any($1::text[]) and a.replaced_at is null group by a.label, p.part`,
    [labels],
  );
  const uses = new Map<string, LabelUse>(
    labels.map((label) => [label, { cameras: 0, counts: { training: 0, reference: 0, test: 0 } }]),
  );
  for (const { label, part, cameras } of rows) {
    const use = uses.get(label) as LabelUse;
    use.cameras += cameras;
    if (part) use.counts[part] = cameras;
  }
  return uses;
}

function rarest(labels: readonly string[], uses: ReadonlyMap<string, LabelUse>): string {
  const cameras = (label: string): number => uses.get(label)?.cameras ?? 0;
  return labels.reduce((best, label) => {
    if (cameras(label) !== cameras(best)) return cameras(label) < cameras(best) ? label : best;
    return Buffer.compare(Buffer.from(label), Buffer.from(best)) < 0 ? label : best;
  });
}
