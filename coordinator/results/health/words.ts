import type { CameraState } from '../../../common/domain/health.ts';
import { isIll, MEANINGS } from '../../../common/domain/health.ts';
import { VERDICTS } from '../../../common/domain/verdict.ts';
import type { Evidence, Verdict } from '../../../common/domain/verdict.ts';
import { ALONE_MINUTES } from './guard.ts';
import type { Finding } from './guard.ts';

/** What a reason is made of. Instants are ms. */
export interface Facts {
  state: CameraState;
  /** Of the newest attempt; `null` where there was none. */
  verdict: Verdict | null;
  evidence: Evidence;
  /** It is not marked down, because the agent is suspected. */
  held: boolean;
  /** It is marked down although no other agent could confirm it. */
  unconfirmed: boolean;
  /** Agents could fetch it. */
  reachable: boolean;
  agent: string | null;
}

const STATE_WORDS: Readonly<Record<CameraState, string>> = {
  online: 'Pictures come and show something.',
  degraded: 'It answers, but what comes is of no use, or only now and then',
  frozen: 'The picture does not change any more',
  black: 'The picture is black',
  placeholder: 'Its host shows a card in the place of a picture',
  offline: 'No picture comes',
  unknown: 'Nothing certain is known',
  paused: 'Paused: an operator wants no pictures of it now.',
};

const UNCONFIRMED = `With many others of its agent it gave no answer for ${ALONE_MINUTES} minutes, and no other agent could confirm it.`;

/** Why the camera is in its state, in plain words. */
export function reasonOf({ unconfirmed, ...facts }: Facts): string {
  return unconfirmed && !facts.held && isIll(facts.state) ? `${why(facts)} ${UNCONFIRMED}` : why(facts);
}

function why({ state, verdict, evidence, held, reachable, agent }: Omit<Facts, 'unconfirmed'>): string {
  if (held)
    return `Its agent${agent === null ? '' : ` ${agent}`} gets no picture from many cameras at once, so the agent is suspected and another one looks first. Last attempt: ${verdictWords(verdict, evidence)}.`;
  if (state === 'online' || state === 'paused') return STATE_WORDS[state];
  if (state === 'unknown') return unknownReason({ verdict, evidence, reachable });
  // A good picture after bad ones: it must come three times before the camera is online again.
  if (verdict === null || MEANINGS[verdict].state === 'online')
    return `${STATE_WORDS[state]}; the newest attempt brought a good picture.`;
  return `${STATE_WORDS[state]}: ${verdictWords(verdict, evidence)}.`;
}

function unknownReason({ verdict, evidence, reachable }: Pick<Facts, 'verdict' | 'evidence' | 'reachable'>): string {
  if (!reachable) return 'No agent can fetch cameras of this kind yet.';
  if (verdict === null) return 'No agent has tried it yet.';
  return `Too little is known; the newest attempt: ${verdictWords(verdict, evidence)}.`;
}

/** A verdict with the fact that says most about it, e.g. "the host answered with an error (HTTP 404)". */
export function verdictWords(verdict: Verdict | null, evidence: Evidence): string {
  if (verdict === null) return 'none yet';
  const { words } = VERDICTS[verdict];
  const status = evidence['httpStatus'] ?? evidence['status'];
  if (status !== undefined) return `${words} (HTTP ${status})`;
  const detail = evidence['detail'] ?? evidence['code'];
  return typeof detail === 'string' && detail !== '' ? `${words} (${detail.slice(0, 160)})` : words;
}

const KIND_STATES: Readonly<Record<string, string>> = {
  degraded: 'send nothing of use',
  frozen: 'are frozen',
  black: 'are black',
  placeholder: 'show a card instead of a picture',
  offline: 'bring no picture',
};

interface IncidentFacts {
  kind: 'agent' | 'source' | 'host';
  name: string;
  state: string;
  verdict: Verdict;
  finding: Finding | null;
  confirmer: string | null;
}

/** What an incident is about, in plain words. */
export function incidentWords(incident: IncidentFacts & { cameras: number; unconfirmed: boolean }): string {
  const { kind, name, state, verdict, cameras, unconfirmed, finding, confirmer } = incident;
  const many = `${cameras} camera${cameras === 1 ? '' : 's'}`;
  if (kind === 'agent') return `${suspicionWords(name, finding, confirmer)} ${many} wait for it.`;
  const ill = KIND_STATES[state] ?? `are ${state}`;
  const what = `${many} of ${kind} ${name} ${cameras === 1 ? ill.replace(/^are/, 'is').replace(/^(send|show|bring)/, '$1s') : ill}`;
  const confirmed = unconfirmed
    ? ` So it was for ${ALONE_MINUTES} minutes at many cameras of the agent, and no other agent could confirm it.`
    : '';
  return `${what}: ${VERDICTS[verdict].words}.${confirmed}`;
}

/** Why an agent is suspected, and who looks instead. */
export function suspicionWords(name: string, finding: Finding | null, confirmer: string | null): string {
  const who = `Agent ${name} gets no picture from most of its cameras at once`;
  if (finding === 'agent')
    return `${who}, but agent ${confirmer ?? 'another'} reaches them: look after the network of ${name}, or drain it.`;
  if (finding === 'cameras')
    return confirmer === null
      ? `${who}, for ${ALONE_MINUTES} minutes now, and no other agent could look: it is believed.`
      : `${who}, and agent ${confirmer} gets none either.`;
  if (confirmer !== null) return `${who}; agent ${confirmer} looks at some of them.`;
  return `${who}, and there is no other agent that could look: check its network, or add an agent. After ${ALONE_MINUTES} minutes it is believed.`;
}

const ENDS = 'Three good pictures in a row bring a camera back.';

/** What is being done about an incident, in plain words. */
export function doingWords({
  closedAt,
  mergedInto,
  ...incident
}: IncidentFacts & { closedAt: number | null; mergedInto: number | null }): string {
  if (closedAt === null) return incident.kind === 'agent' ? doneForAgent(incident) : doneForCameras(incident);
  return mergedInto === null
    ? 'It is over: none of its cameras is so any more.'
    : `It goes on as incident ${mergedInto}: the whole source is ill.`;
}

function doneForAgent({ finding }: IncidentFacts): string {
  if (finding === 'agent') return 'Its cameras are not marked down, and it gets no more of them until they answer it.';
  if (finding === 'cameras') return 'Its cameras are marked down one by one, as they fail.';
  return `None of its cameras is marked down before another agent has looked at some, or for ${ALONE_MINUTES} minutes where none can.`;
}

function doneForCameras({ state, verdict }: IncidentFacts): string {
  if (verdict === 'unauthorized')
    return `Its cameras are tried again after ever longer pauses, at most an hour. Credentials are never guessed: give them, or pause the cameras.`;
  if (verdict === 'blocked')
    return 'Its cameras are tried again after ever longer pauses, at most an hour. An operator may allow the address at the agent.';
  if (MEANINGS[verdict].transport === 'down' && state !== 'frozen')
    return `Its cameras are tried again after ever longer pauses, at most an hour. ${ENDS}`;
  return `Its cameras are asked as often as ever. ${ENDS}`;
}
