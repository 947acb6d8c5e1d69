import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FaultAnswer } from './fault-answers.ts';
import type { FaultName } from './faults.ts';
import type { Fleet } from './fleet.ts';
import type { Picture } from './picture.ts';
import type { FarmCamera } from './camera.ts';
import type { RequestLog, RequestRecord } from './request-log.ts';

export interface AnswerContext {
  fleet: Fleet;
  log: RequestLog;
  now: () => number;
}

/** Answers one snapshot request as the camera does at the moment, and logs what became of the answer. */
export function answerSnapshot(
  context: AnswerContext,
  camera: FarmCamera,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const outcome = context.fleet.look(camera.id);
  const record = recordFor(context, camera, request, outcome.fault);
  logWhenDone(context.log, record, response);
  if (outcome.fault === null) return sendPicture(camera, outcome.picture, request, response, record);
  const { answer } = outcome;
  switch (answer.kind) {
    case 'hang':
      return;
    case 'answer':
      return send(response, record, answer.status, answer.body, answer.headers);
    case 'picture':
      return sendFaulty(answer, request, response, record);
    case 'drop':
      return dropMidway(response, record, answer.picture);
    case 'wire':
      return answer.act(response);
  }
}

export function recordFor(
  { now }: AnswerContext,
  camera: FarmCamera,
  request: IncomingMessage,
  fault: FaultName | null,
): RequestRecord {
  const attempt = request.headers['x-camfleet-attempt'];
  return {
    at: now(),
    camera: camera.id,
    attempt: typeof attempt === 'string' ? attempt : null,
    status: 0,
    bytes: 0,
    complete: false,
    kind: fault === null ? 'frame' : 'fault',
    fault,
  };
}

/** Sends all of a body and notes it in the record. Where its length is not announced it ends with the connection. */
export function send(
  response: ServerResponse,
  record: RequestRecord,
  status: number,
  body: Buffer,
  headers: OutgoingHttpHeaders,
  announce = true,
): void {
  record.status = status;
  record.bytes = body.length;
  response.useChunkedEncodingByDefault = announce;
  response.writeHead(status, {
    ...headers,
    ...(announce ? { 'Content-Length': body.length } : { Connection: 'close' }),
  });
  if (body.length > 0) response.write(body, (error) => (record.complete = wasHandedOver(error, response.socket)));
  response.end();
}

/** Logs the answer when it has ended. A bare head is judged here, a body by its write: `finish` comes for cut ones, too. */
export function logWhenDone(log: RequestLog, record: RequestRecord, response: ServerResponse): void {
  response.once('finish', () => {
    if (record.bytes === 0) record.complete = wasHandedOver(undefined, response.socket);
  });
  response.once('close', () => log.add(record));
}

/**
 * Whether a write that has called back reached the system. Node reports no error for a write that was pending when its
 * socket was destroyed; one that succeeded calls back before anything can destroy the socket.
 */
export function wasHandedOver(error: Error | null | undefined, socket: Socket | null): boolean {
  return error == null && socket?.destroyed === false;
}

function sendPicture(
  camera: FarmCamera,
  picture: Picture,
  request: IncomingMessage,
  response: ServerResponse,
  record: RequestRecord,
): void {
  record.digest = picture.digest;
  const truth = sceneHeader(picture);
  if (!camera.conditional) {
    const headers = { 'Content-Type': picture.type, 'Cache-Control': 'no-cache', ...truth };
    return send(response, record, 200, picture.bytes, headers);
  }
  const validators = { ETag: etagOf(picture), 'Last-Modified': new Date(picture.since).toUTCString(), ...truth };
  if (!isStillFresh(request, picture))
    return send(response, record, 200, picture.bytes, { 'Content-Type': picture.type, ...validators });
  record.kind = 'not-modified';
  record.status = 304;
  response.writeHead(304, validators);
  response.end();
}

function sendFaulty(
  { picture, headers, withoutLength, confirmsDates }: FaultAnswer & { kind: 'picture' },
  request: IncomingMessage,
  response: ServerResponse,
  record: RequestRecord,
): void {
  record.digest = picture.digest;
  if (confirmsDates && request.headers['if-modified-since'] !== undefined)
    return void response.writeHead((record.status = 304), headers).end();
  send(response, record, 200, picture.bytes, { 'Content-Type': picture.type, ...headers }, !withoutLength);
}

/** The truth about the scene; pictures that a fault makes come without it. */
export const sceneHeader = ({ scene }: Picture): Record<string, string> =>
  scene === undefined ? {} : { [SCENE_HEADER]: scene };

const SCENE_HEADER = 'X-Scene-Label';

const etagOf = (picture: Picture): string => `"${picture.digest.slice(0, 20)}"`;

/** If-None-Match wins over If-Modified-Since, whose seconds are too coarse for scenes that change faster. */
function isStillFresh({ headers }: IncomingMessage, picture: Picture): boolean {
  const known = headers['if-none-match'];
  if (known !== undefined) return known.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etagOf(picture));
  const since = Date.parse(headers['if-modified-since'] ?? '');
  return since >= Math.floor(picture.since / 1000) * 1000;
}

/** The record stays incomplete: the response never finishes. */
function dropMidway(response: ServerResponse, record: RequestRecord, picture: Picture): void {
  record.status = 200;
  record.bytes = picture.bytes.length;
  response.writeHead(200, { 'Content-Type': picture.type, 'Content-Length': picture.bytes.length });
  response.write(picture.bytes.subarray(0, picture.bytes.length >> 1), () => response.destroy());
}
