import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FaultName } from './faults.ts';
import type { Picture } from './picture.ts';
import type { FarmCamera } from './camera.ts';
import type { AnswerContext } from './snapshot.ts';
import { logWhenDone, recordFor, sceneHeader, send, wasHandedOver } from './snapshot.ts';

const BOUNDARY = 'farmframe';

/**
 * Streams parts until the client goes away. Every part is logged on its own. A client that reads slowly gets fewer parts, as
 * from a real camera; a fault that is no picture ends the stream, and the next connection sees what the fault does.
 */
export function answerVideo(
  context: AnswerContext & { partEveryMs: number },
  camera: FarmCamera,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (refused(context, camera, request, response)) return;
  response.useChunkedEncodingByDefault = false;
  response.writeHead(200, {
    'Content-Type': `multipart/x-mixed-replace; boundary=${BOUNDARY}`,
    'Cache-Control': 'no-cache',
    Connection: 'close',
  });
  response.flushHeaders();
  const next = () => {
    if (!response.writableNeedDrain) sendPart(context, camera, request, response);
  };
  const timer = setInterval(next, context.partEveryMs);
  const unsubscribe = context.fleet.onFaultChange(camera.id, () => {
    if (isRefusal(context, camera.id)) response.destroy();
  });
  response.once('close', () => {
    clearInterval(timer);
    unsubscribe();
  });
  next();
}

/** A faulty camera that has no parts to give answers as it would answer a snapshot. */
function refused(
  context: AnswerContext,
  camera: FarmCamera,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  if (!isRefusal(context, camera.id)) return false;
  const outcome = context.fleet.look(camera.id);
  const record = recordFor(context, camera, request, outcome.fault);
  logWhenDone(context.log, record, response);
  if (outcome.fault !== null && outcome.answer.kind === 'answer')
    send(response, record, outcome.answer.status, outcome.answer.body, { 'Content-Type': outcome.answer.type });
  return true;
}

function isRefusal({ fleet }: AnswerContext, id: string): boolean {
  const outcome = fleet.faultOf(id) === null ? undefined : fleet.look(id);
  return outcome?.fault != null && (outcome.answer.kind === 'answer' || outcome.answer.kind === 'hang');
}

function sendPart(
  context: AnswerContext,
  camera: FarmCamera,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const outcome = context.fleet.look(camera.id);
  if (outcome.fault === null) return writePart(context, camera, request, response, outcome.picture, null);
  const { fault, answer } = outcome;
  if (answer.kind === 'picture') writePart(context, camera, request, response, answer.picture, fault);
  if (answer.kind === 'drop') writePart(context, camera, request, response, answer.picture, fault, true);
}

function writePart(
  context: AnswerContext,
  camera: FarmCamera,
  request: IncomingMessage,
  response: ServerResponse,
  picture: Picture,
  fault: FaultName | null,
  breakOff = false,
): void {
  const serial = context.fleet.nextSerial(camera.id);
  const { bytes, digest, type } = picture;
  const record = { ...recordFor(context, camera, request, fault), status: 200, bytes: bytes.length, serial, digest };
  const truth = fault === null ? sceneHeader(picture) : {};
  const headers = { 'Content-Type': type, ...truth, 'Content-Length': bytes.length, 'X-Part-Serial': serial };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `--${BOUNDARY}\r\n${lines.join('')}\r\n`;
  const part = Buffer.concat([Buffer.from(head), breakOff ? bytes.subarray(0, bytes.length >> 1) : bytes, CRLF]);
  response.write(part, (error) => {
    context.log.add({ ...record, complete: wasHandedOver(error, response.socket) && !breakOff });
    if (breakOff) response.destroy();
  });
}

const CRLF = Buffer.from('\r\n');
