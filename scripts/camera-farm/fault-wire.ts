import type { ServerResponse } from 'node:http';
import type { FaultAnswer, FaultScene } from './fault-answers.ts';

// Faults of the connection itself. All of them end with the connection: timers are cleared when it closes.

const wire = (act: (response: ServerResponse) => void): FaultAnswer => ({ kind: 'wire', act });

/** A byte so seldom that the answer would take hours, and so often that no socket ever looks idle. */
const DRIP_MS = 200;
const BOUNDARY = 'farmframe';

/** The head of a 200 whose body ends, if ever, with the connection, and for a stream the head of its first part. */
function open(response: ServerResponse, { video }: FaultScene, length?: number): void {
  response.useChunkedEncodingByDefault = false;
  const type = video ? `multipart/x-mixed-replace; boundary=${BOUNDARY}` : 'image/jpeg';
  const announced = !video && length !== undefined ? { 'Content-Length': length } : {};
  response.writeHead(200, { 'Content-Type': type, Connection: 'close', ...announced });
  if (!video) return response.flushHeaders();
  const partLength = length === undefined ? '' : `Content-Length: ${length}\r\n`;
  response.write(`--${BOUNDARY}\r\nContent-Type: image/jpeg\r\n${partLength}\r\n`);
}

function every(response: ServerResponse, ms: number, step: (turn: number) => void): void {
  let turn = 0;
  const timer = setInterval(() => step(turn++), ms);
  response.once('close', () => clearInterval(timer));
}

/** A picture, byte by byte. */
export const drip = (scene: FaultScene): FaultAnswer =>
  wire((response) => {
    const { bytes } = scene.current();
    open(response, scene, bytes.length);
    every(response, DRIP_MS, (turn) => void response.write(bytes.subarray(turn, turn + 1)));
  });

/** Header lines without end. */
export const dripHead = (): FaultAnswer =>
  wire((response) => {
    response.socket?.write('HTTP/1.1 200 OK\r\nServer: farm\r\n');
    every(response, DRIP_MS, (turn) => void response.socket?.write(`X-${turn}: 1\r\n`));
  });

/** Half a picture, then silence. */
export const stall = (scene: FaultScene): FaultAnswer =>
  wire((response) => {
    const { bytes } = scene.current();
    open(response, scene, bytes.length);
    response.write(bytes.subarray(0, bytes.length >> 1));
  });

/** The connection is torn down (RST) before a byte of the answer. */
export const reset = (): FaultAnswer => wire((response) => void response.socket?.resetAndDestroy());

/** Another protocol answers on this port. */
export const otherProtocol = (): FaultAnswer =>
  wire((response) => void response.socket?.end('SSH-2.0-dropbear_2019.78\r\n'));

/** Begins like a picture and grows for as long as somebody reads. */
export const endless = (scene: FaultScene): FaultAnswer =>
  wire((response) => {
    open(response, scene);
    response.write(scene.current().bytes.subarray(0, 512));
    const grow = (): void => {
      while (!response.destroyed && response.write(PADDING)); // until the socket has enough
    };
    response.on('drain', grow);
    grow();
  });

// No 0xff in it: neither the end of a picture nor anything else that a parser waits for.
const PADDING = Buffer.alloc(65_536, 0x55);
