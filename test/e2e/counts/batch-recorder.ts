import { DIGEST_HEADER, batchSchema } from '../../../common/protocol/rest.ts';
import type { Batch } from '../../../common/protocol/rest.ts';

/** A batch as it went over the line. */
export interface RecordedBatch {
  batch: Batch;
  bytes: Buffer;
  digest: string;
  /** The session key with it. */
  authorization: string;
  /** Wall clock, ms. */
  sentAt: number;
}

const END_OF_HEAD = Buffer.from('\r\n\r\n');

/** Reads the batches out of what a client sends on one HTTP/1.1 connection, request after request. */
export class BatchRecorder {
  readonly #onBatch: (batch: RecordedBatch) => void;
  #buffer = Buffer.alloc(0);
  #isOver = false;

  constructor(onBatch: (batch: RecordedBatch) => void) {
    this.#onBatch = onBatch;
  }

  push(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    while (this.#takeRequest());
  }

  #takeRequest(): boolean {
    const end = this.#buffer.indexOf(END_OF_HEAD);
    if (end < 0) return false;
    const head = this.#buffer.subarray(0, end).toString('latin1');
    const headers = new Map(head.split('\r\n').slice(1).map(splitHeader));
    // A web socket: what follows are frames.
    if (headers.has('upgrade')) this.#isOver = true;
    const begin = end + END_OF_HEAD.length;
    const length = Number(headers.get('content-length') ?? 0);
    if (this.#isOver || this.#buffer.length < begin + length) return false;
    const body = Buffer.from(this.#buffer.subarray(begin, begin + length));
    this.#buffer = this.#buffer.subarray(begin + length);
    if (head.startsWith('POST /api/v1/agent/batches ')) {
      this.#onBatch({
        batch: batchSchema.parse(JSON.parse(body.toString('utf8'))),
        bytes: body,
        digest: headers.get(DIGEST_HEADER) ?? '',
        authorization: headers.get('authorization') ?? '',
        sentAt: Date.now(),
      });
    }
    return true;
  }
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}
