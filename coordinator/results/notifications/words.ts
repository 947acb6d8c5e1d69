import type { NoticeItem, NotificationMessage } from '../../../common/protocol/notifications.ts';

/** Longer names say nothing more, and a subject is one line. */
const MOST_LINE = 300;
const MOST_SUBJECT = 150;

/**
 * Cameras, hosts and agents name themselves. In words for people they neither break a line, nor turn the reading direction, nor
 * mean anything to a browser or a chat server.
 */
export function harmless(text: string, most = MOST_LINE): string {
  const line = text
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .replaceAll(/[\p{Cf}\p{Cs}\p{Co}]/gu, '')
    .replaceAll('<', '‹')
    .replaceAll('>', '›')
    .trim();
  const letters = [...line];
  return letters.length > most ? `${letters.slice(0, most - 1).join('')}…` : line;
}

/** What happened to the fleet, or that it is over. */
export function troubleWords({
  event,
  name,
  since,
  until,
  heard,
}: Pick<NoticeItem, 'name' | 'since' | 'until'> & {
  event: 'agent_silent' | 'quota_full';
  heard: boolean | null;
}): string {
  if (event === 'quota_full')
    return until === null
      ? 'The room for kept frames is full of frames that something refers to: no new ones are kept. Raise frames.quotaBytes, or delete snapshots.'
      : 'New frames are kept again.';
  if (until === null)
    return `Agent ${name} has not been heard of since ${instant(since)}; its cameras go to other agents where there are any.`;
  return heard
    ? `Agent ${name} is heard again.`
    : `Nobody waits for agent ${name} any more: it was drained or revoked.`;
}

/** How an incident ended: not always well. */
export function endWords({
  kind,
  name,
  state,
  cameras,
  since,
  until,
  now,
}: Pick<NoticeItem, 'kind' | 'name' | 'state' | 'cameras' | 'since' | 'until' | 'now'>): string {
  const lasted = duration((until ?? since) - since);
  const what = kind === 'agent' ? 'suspected' : (state ?? 'ill');
  const states = Object.entries(now ?? {}).map(([is, count]) => `${count} ${is}`);
  const rest = states.length === 0 ? '' : ` Its cameras now: ${states.join(', ')}.`;
  return `${capital(kind)} ${name} is no longer ${what}, after ${lasted} (${camerasOf(cameras)}).${rest}`;
}

/** All cameras of it are well again. */
const isWell = ({ now }: NoticeItem): boolean => now === null || Object.keys(now).every((state) => state === 'online');

type Parts = Pick<NotificationMessage, 'rule' | 'began' | 'ended' | 'unlisted' | 'passed'>;

/** A whole message in words. */
export function compose(parts: Parts): NotificationMessage {
  return { ...parts, subject: subjectOf(parts), text: textOf(parts), test: false };
}

function subjectOf({ began, ended, unlisted }: Parts): string {
  const [first] = began;
  const [over] = ended;
  const [more, closed] = [began.length + unlisted.began, ended.length + unlisted.ended];
  if (!first) return harmless(over ? subjectOfEnd(over, closed) : 'nothing new', MOST_SUBJECT);
  const head = firstSentence(first.reason);
  const others = [more > 1 && `${more - 1} more`, closed > 0 && `${closed} over`].filter((part) => part !== false);
  // What is cut is the sentence, never how many others there are.
  const tail = others.length === 0 ? '' : ` (and ${others.join(', ')})`;
  return `${harmless(head, MOST_SUBJECT - tail.length)}${tail}`;
}

function subjectOfEnd(item: NoticeItem, closed: number): string {
  const what = item.kind === 'fleet' ? firstSentence(item.reason) : `${item.kind} ${item.name}`;
  return `${isWell(item) ? 'Well again' : 'Over'}: ${what}${closed > 1 ? ` and ${closed - 1} more` : ''}`;
}

/** Without what comes after a colon or the first full stop. */
const firstSentence = (text: string): string => text.replace(/[.;:](?: .*)?$/su, '');

function textOf({ rule, began, ended, unlisted, passed }: Parts): string {
  const sections = [
    section('Began', began, unlisted.began),
    section('Over', ended, unlisted.ended),
    passed === 0 ? '' : `${passed} more came and went before this message could be sent.`,
    `From camfleet, by the rule "${rule}".`,
  ];
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`;
}

function section(heading: string, items: readonly NoticeItem[], unlisted: number): string {
  if (items.length + unlisted === 0) return '';
  const more = unlisted === 0 ? [] : [`- and ${unlisted} more`];
  return [`${heading}:`, ...items.map(itemWords), ...more].join('\n');
}

function itemWords(item: NoticeItem): string {
  const { event, id, since, until, examples, cameras } = item;
  const facts = [
    `since ${instant(since)}${until === null ? '' : ` until ${instant(until)}`}`,
    ...(event === 'incident' ? [`incident ${id}`] : []),
    ...(examples.length === 0 ? [] : [`cameras ${exampleWords(examples, cameras)}`]),
  ];
  return `- ${harmless(item.reason)}\n  (${facts.join('; ')})`;
}

function exampleWords(examples: NoticeItem['examples'], cameras: number): string {
  const names = examples.map(({ id, name }) => `${harmless(name, 60)} (${id})`).join(', ');
  return cameras > examples.length ? `${names} and ${cameras - examples.length} more` : names;
}

const camerasOf = (count: number): string => `${count} camera${count === 1 ? '' : 's'}`;
const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
const instant = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}

/** What a test says. */
export const testMessage = (name: string): NotificationMessage => ({
  ...{ rule: name, began: [], ended: [], unlisted: { began: 0, ended: 0 }, passed: 0, test: true },
  subject: 'a test',
  text: `This is a test of "${name}". Where you read this, notifications arrive.\n`,
});
