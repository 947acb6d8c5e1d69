import { isActive, parseActiveHours } from '../../../common/domain/active-hours.ts';
import type { Database } from '../../platform/database/database.ts';
import type { Queryable } from '../../platform/database/queries.ts';
import { readItems } from './items.ts';
import { noteNews, readPending, takeNotices } from './notices.ts';
import type { Pending } from './notices.ts';
import { compose } from './words.ts';

/** A message that lists more is read by nobody; the rest is counted. */
const MOST_ITEMS = 50;

/** Writes the messages that are due, with a delivery for each channel of their rules; gives how many messages it wrote. */
export async function writeMessages(database: Database): Promise<number> {
  await database.transaction(noteNews);
  const due = (await readPending(database)).filter(isDue);
  let written = 0;
  for (const rule of due) if (await database.transaction((tx) => writeMessage(tx, rule))) written++;
  return written;
}

/** Its window is over, it has not said too much lately, and somebody wants to hear it now. */
export function isDue({ windowMs, since, now, sent, perHour, hours, timeZone }: Pending): boolean {
  if (now < since + windowMs || sent >= perHour) return false;
  const table = hours === null ? undefined : parseActiveHours(hours);
  return table === undefined || 'problem' in table || isActive(table, timeZone, now);
}

async function writeMessage(tx: Queryable, { ruleId, rule }: Pending): Promise<boolean> {
  // One writer a rule: for a moment there may be two, where a coordinator lost its lock without knowing.
  const message = await tx.maybeOne<{ id: number }>(
    `insert into notification_messages (rule_id, rule_name, content)
     select id, name, '{}' from notification_rules where id = $1 for update returning id`,
    [ruleId],
  );
  // It was removed just now.
  if (!message) return false;
  const told = await takeNotices(tx, ruleId, message.id);
  if (told.began.length + told.ended.length === 0) {
    await tx.query('delete from notification_messages where id = $1', [message.id]);
    return false;
  }
  const began = await readItems(tx, told.began, MOST_ITEMS);
  const ended = await readItems(tx, told.ended, MOST_ITEMS);
  const unlisted = { began: told.began.length - began.length, ended: told.ended.length - ended.length };
  const content = compose({ rule, began, ended, unlisted, passed: told.passed.length });
  await tx.query('update notification_messages set content = $2 where id = $1', [message.id, JSON.stringify(content)]);
  await tx.query(
    `insert into notification_deliveries (message_id, channel_id, channel_name)
     select $1, c.id, c.name from notification_rule_channels l join notification_channels c on c.id = l.channel_id
     where l.rule_id = $2 order by c.name`,
    [message.id, ruleId],
  );
  return true;
}
