import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { messageOf } from '../../common/runtime/errors.ts';
import type { FaultName } from './faults.ts';
import { FAULT_NAMES, isFault } from './faults.ts';
import { answerVideo } from './mjpeg.ts';
import type { AnswerContext } from './snapshot.ts';
import { answerSnapshot } from './snapshot.ts';

/** What is true of a camera at the moment, for tests that compare it with what was recognised. */
export interface Truth {
  camera: string;
  concept: string;
  phase: 'day' | 'dusk' | 'night';
  weather: string;
  fault: FaultName | null;
}

interface HandlerContext extends AnswerContext {
  partEveryMs: number;
  truthOf: (id: string) => Truth;
}

const CAMERA_PATH = /^\/cam\/([^/?]+)\/(snapshot\.jpg|video\.mjpg)(?:\?|$)/;

/** Cameras, `GET /truth/<id>` and `POST /control {camera, fault, share}`, on every address of the farm. */
export function createHandler(context: HandlerContext): RequestListener {
  return (request, response) => {
    const url = request.url ?? '/';
    const [, id = '', file] = CAMERA_PATH.exec(url) ?? [];
    const camera = context.fleet.find(id);
    if (request.method === 'POST' && url === '/control') return void control(context, request, response);
    if (request.method !== 'GET') return sendJson(response, 405, { error: 'Only GET, and POST /control, are served.' });
    if (camera && file === 'snapshot.jpg' && camera.kind === 'snapshot')
      return answerSnapshot(context, camera, request, response);
    if (camera && file === 'video.mjpg' && camera.kind === 'mjpeg')
      return answerVideo(context, camera, request, response);
    const asked = /^\/truth\/([^/?]+)$/.exec(url)?.[1];
    if (asked !== undefined && context.fleet.find(asked)) return sendJson(response, 200, context.truthOf(asked));
    sendJson(response, 404, { error: `Nothing is served at ${url}.` });
  };
}

async function control(context: HandlerContext, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const asked = JSON.parse(Buffer.concat(chunks).toString()) as { camera: string; fault: unknown; share?: number };
    const { camera, fault, share } = asked;
    if (fault !== null && !isFault(fault))
      return sendJson(response, 400, { error: `Unknown fault ${JSON.stringify(fault)}; give null or one of ${FAULT_NAMES.join(', ')}.` }); // prettier-ignore
    context.fleet.setFault(camera, fault, share);
    sendJson(response, 200, { camera, fault });
  } catch (error) {
    sendJson(response, 400, { error: messageOf(error) });
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body) + '\n');
}
