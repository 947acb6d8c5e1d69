import type { IncomingMessage, ServerResponse } from 'node:http';
import type { PictureForm } from './fault-answers.ts';
import type { FaultName } from './faults.ts';
import type { Outcome } from './fleet.ts';
import type { Picture } from './picture.ts';
import type { FarmCamera } from './camera.ts';
import type { AnswerContext } from './snapshot.ts';
import { logWhenDone, recordFor, sceneHeader, send, wasHandedOver } from './snapshot.ts';

const BOUNDARY = 'farmframe';

type VideoContext = AnswerContext & { partEveryMs: number };

/** One open stream. */
interface Stream {
  context: AnswerContext;
  camera: FarmCamera;
  request: IncomingMessage;
  response: ServerResponse;
}

/**
 * Streams parts until the client goes away. Every part is logged on its own. A client that reads slowly gets fewer parts, as
 * from a real camera; a fault that is no picture ends the stream, and the next connection sees what the fault does.
 */
export function answerVideo(
  context: VideoContext,
  camera: FarmCamera,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const stream: Stream = { context, camera, request, response };
  const first = context.fleet.look(camera.id);
  if (isRefusal(first)) return refuse(stream, first);
  response.useChunkedEncodingByDefault = false;
  response.writeHead(200, { ...announced(first), 'Cache-Control': 'no-cache', Connection: 'close' });
  response.flushHeaders();
  const next = () => {
    if (!response.writableNeedDrain) sendPart(stream, context.fleet.look(camera.id));
  };
  const timer = setInterval(next, context.partEveryMs);
  const unsubscribe = context.fleet.onFaultChange(camera.id, () => {
    if (isRefusal(context.fleet.look(camera.id))) response.destroy();
  });
  response.once('close', () => {
    clearInterval(timer);
    unsubscribe();
  });
  sendPart(stream, first);
}

type Refusal = Outcome & { fault: FaultName; answer: { kind: 'hang' | 'answer' | 'wire' } };

/** Whether this is no picture: then it answers as it would answer a snapshot. */
const isRefusal = (outcome: Outcome): outcome is Refusal =>
  outcome.fault !== null && outcome.answer.kind !== 'picture' && outcome.answer.kind !== 'drop';

function refuse({ context, camera, request, response }: Stream, { fault, answer }: Refusal): void {
  const record = recordFor(context, camera, request, fault);
  logWhenDone(context.log, record, response);
  if (answer.kind === 'answer') send(response, record, answer.status, answer.body, answer.headers);
  if (answer.kind === 'wire') answer.act(response);
}

function announced(first: Outcome): Record<string, string> {
  const boundary = formOf(first).boundaries?.announced;
  if (boundary === null) return { 'Content-Type': 'video/x-motion-jpeg' };
  return { 'Content-Type': `multipart/x-mixed-replace; boundary=${boundary ?? BOUNDARY}` };
}

const formOf = (outcome: Outcome): PictureForm =>
  outcome.fault !== null && outcome.answer.kind === 'picture' ? outcome.answer : {};

function sendPart(stream: Stream, outcome: Outcome): void {
  if (outcome.fault === null) return writePart(stream, outcome.picture, null, {});
  const { fault, answer } = outcome;
  if (answer.kind === 'picture') writePart(stream, answer.picture, fault, answer);
  else if (answer.kind === 'drop') writePart(stream, answer.picture, fault, {}, true);
  else stream.response.destroy();
}

function writePart(
  { context, camera, request, response }: Stream,
  picture: Picture,
  fault: FaultName | null,
  form: PictureForm,
  breakOff = false,
): void {
  const serial = context.fleet.nextSerial(camera.id);
  const { bytes, digest } = picture;
  const record = { ...recordFor(context, camera, request, fault), status: 200, bytes: bytes.length, serial, digest };
  const head = partHead(picture, fault, form, serial);
  const body = breakOff ? bytes.subarray(0, bytes.length >> 1) : bytes;
  response.write(Buffer.concat([head, body, head.length > 0 ? CRLF : head]), (error) => {
    context.log.add({ ...record, complete: wasHandedOver(error, response.socket) && !breakOff });
    if (breakOff) response.destroy();
  });
}

function partHead(picture: Picture, fault: FaultName | null, form: PictureForm, serial: number): Buffer {
  const { headers = {}, withoutLength = false, boundaries } = form;
  if (boundaries?.used === null) return Buffer.alloc(0);
  const truth = fault === null ? sceneHeader(picture) : {};
  const all = {
    'Content-Type': picture.type,
    ...truth,
    ...(!withoutLength && { 'Content-Length': picture.bytes.length }),
    'X-Part-Serial': serial,
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`--${boundaries?.used ?? BOUNDARY}\r\n${lines.join('')}\r\n`);
}

const CRLF = Buffer.from('\r\n');
