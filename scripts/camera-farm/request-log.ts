import { closeSync, openSync, writeSync } from 'node:fs';
import type { FaultName } from './faults.ts';

/** What one request, or one part of an MJPEG stream, was given. The witness of every counting test. */
export interface RequestRecord {
  /** Wall clock, ms: the request's arrival, or when the part was sent. */
  at: number;
  camera: string;
  /** The request's `X-Camfleet-Attempt`. */
  attempt: string | null;
  /** HTTP status; 0 where no answer was given. */
  status: number;
  /** Bytes of the body or part that was offered. */
  bytes: number;
  /** All of the answer was handed to the socket and the client was still there. */
  complete: boolean;
  kind: 'frame' | 'not-modified' | 'fault';
  fault: FaultName | null;
  /** Of an MJPEG part: its `X-Part-Serial`, unique for the camera across connections. */
  serial?: number;
  /** SHA-256 of the body, hex. */
  digest?: string;
}

export interface RequestLog {
  /** Whether records go anywhere: where not, they need not be made. */
  readonly keeps: boolean;
  add(record: RequestRecord): void;
  /** What was logged, where it is kept in memory. */
  readonly records: readonly RequestRecord[];
  close(): void;
}

export function openRequestLog(target: 'memory' | 'none' | { file: string }): RequestLog {
  if (target === 'none') return { keeps: false, add: () => {}, records: [], close: () => {} };
  if (target === 'memory') {
    const records: RequestRecord[] = [];
    return { keeps: true, add: (record) => void records.push(record), records, close: () => {} };
  }
  return openFile(target.file);
}

/** Lines are written once per turn of the event loop: a farm that is killed loses at most the turn it was in. */
function openFile(file: string): RequestLog {
  const descriptor = openSync(file, 'a');
  let pending: string[] = [];
  const flush = () => {
    if (pending.length > 0) writeSync(descriptor, pending.join(''));
    pending = [];
  };
  return {
    keeps: true,
    records: [],
    add: (record) => {
      if (pending.length === 0) setImmediate(flush);
      pending.push(`${JSON.stringify(record)}\n`);
    },
    close: () => {
      flush();
      closeSync(descriptor);
    },
  };
}
