import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { request } from 'undici';
import type { DatasetApi } from '../../common/dataset/pull.ts';
import type {
  GoOn,
  Progress,
  PublishArtifact,
  TrainingOrder,
  TrainingResult,
  TrainingRun,
} from '../../common/protocol/training.ts';
import type { FleetStatus } from '../../common/protocol/status.ts';
import { AppError, codeOf, messageOf } from '../../common/runtime/errors.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { retry } from '../../common/runtime/retry.ts';

const ANSWER_TIMEOUT_MS = 60_000;
/** Proving an artifact on its golden frames takes its time after the last byte. */
const LONG_TIMEOUT_MS = 10 * 60_000;
/** A coordinator that is started again is back in seconds. */
const RETRY_POLICY = { firstMs: 500, ceilingMs: 5_000 };

interface Send {
  json?: unknown;
  file?: { path: string; bytes: number };
  signal: AbortSignal;
}

/** What a trainer asks of the coordinator. All but heartbeats are tried again until there is an answer or the signal aborts. */
export class TrainerApi {
  readonly #server: URL;
  readonly #token: string;

  constructor(server: URL, token: string) {
    this.#server = server;
    this.#token = token;
  }

  async waiting(signal: AbortSignal): Promise<number> {
    return (await this.#json<{ waiting: number }>('GET', '/training/waiting', { signal })).waiting;
  }

  async claim(trainer: string, signal: AbortSignal): Promise<TrainingOrder | null> {
    // Once: a claim whose answer was lost is given up for dead after a minute, a second one would take another run.
    const answer = await this.#once('POST', '/training/claims', { json: { trainer }, signal });
    return (JSON.parse(answer.toString('utf8')) as { run: TrainingOrder | null }).run;
  }

  async progress(id: number, progress: Progress, signal: AbortSignal): Promise<GoOn> {
    const answer = await this.#once('PUT', `/training/runs/${id}/progress`, { json: progress, signal });
    return (JSON.parse(answer.toString('utf8')) as { goOn: GoOn }).goOn;
  }

  result(id: number, result: TrainingResult, signal: AbortSignal): Promise<TrainingRun> {
    return this.#json('POST', `/training/runs/${id}/result`, { json: result, signal });
  }

  async failure(
    id: number,
    claim: { trainer: string; attempt: number },
    error: string,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#json('POST', `/training/runs/${id}/failure`, {
      json: { ...claim, error: error.slice(0, 4_000) },
      signal,
    });
  }

  async handBack(id: number, claim: { trainer: string; attempt: number }, signal: AbortSignal): Promise<void> {
    await this.#json('POST', `/training/runs/${id}/hand-back`, { json: claim, signal });
  }

  async upload(path: string, signal: AbortSignal): Promise<string> {
    const { size } = await stat(path);
    return (await this.#json<{ upload: string }>('POST', '/uploads', { file: { path, bytes: size }, signal })).upload;
  }

  async publish(artifact: PublishArtifact, signal: AbortSignal): Promise<{ version: string }> {
    return this.#json('POST', '/models/artifacts', { json: artifact, signal });
  }

  /** Version of the model in force; `null` while there is none. */
  async modelInForce(signal: AbortSignal): Promise<string | null> {
    const { model } = await this.#json<FleetStatus>('GET', '/status', { signal });
    return model?.version ?? null;
  }

  /** For `pullDataset`, which tries again by itself. */
  datasets(signal: AbortSignal): DatasetApi {
    const bytes = (path: string): Promise<Buffer> => this.#once('GET', path, { signal });
    return {
      bytes,
      get: async <T>(path: string, query: Parameters<DatasetApi['get']>[1] = {}) => {
        const search = new URLSearchParams();
        for (const [key, value] of Object.entries(query)) if (value !== undefined) search.set(key, String(value));
        return JSON.parse((await bytes(search.size > 0 ? `${path}?${search}` : path)).toString('utf8')) as T;
      },
    };
  }

  modelPart(version: string, part: string, signal: AbortSignal): Promise<Buffer> {
    return this.#patient('GET', `/models/${version}/${part}`, { signal });
  }

  async #json<T>(method: string, path: string, send: Send): Promise<T> {
    return JSON.parse((await this.#patient(method, path, send)).toString('utf8')) as T;
  }

  #patient(method: string, path: string, send: Send): Promise<Buffer> {
    return retry(() => this.#once(method, path, send), {
      policy: RETRY_POLICY,
      clock: systemClock,
      signal: send.signal,
      isFinal: (error) => codeOf(error) !== 'COORDINATOR_UNREACHABLE',
    });
  }

  async #once(method: string, path: string, { json, file, signal }: Send): Promise<Buffer> {
    const url = new URL(`${this.#server.pathname.replace(/\/$/, '')}/api/v1${path}`, this.#server);
    const headers: Record<string, string> = { authorization: `Bearer ${this.#token}` };
    if (json !== undefined) headers['content-type'] = 'application/json';
    if (file)
      Object.assign(headers, { 'content-type': 'application/octet-stream', 'content-length': String(file.bytes) });
    try {
      const { statusCode, body } = await request(url, {
        method: method as 'GET',
        headers,
        body: json !== undefined ? JSON.stringify(json) : file ? createReadStream(file.path) : null,
        headersTimeout: json !== undefined || file ? LONG_TIMEOUT_MS : ANSWER_TIMEOUT_MS,
        bodyTimeout: ANSWER_TIMEOUT_MS,
        signal,
      });
      const bytes = Buffer.from(await body.arrayBuffer());
      if (statusCode >= 400) throw refusal(statusCode, bytes);
      return bytes;
    } catch (error) {
      if (error instanceof AppError || signal.aborted) throw error;
      throw unreachable(this.#server, codeOf(error) ?? messageOf(error), error);
    }
  }
}

function refusal(status: number, bytes: Buffer): AppError {
  let body: { code?: string; message?: string } = {};
  try {
    body = JSON.parse(bytes.toString('utf8')) as typeof body;
  } catch {
    // Something between us and the coordinator answered.
  }
  const message = body.message ?? `The server answered ${status}, but not as a coordinator does; check --server.`;
  // It starts, stops, or a proxy waits for it.
  if (status === 502 || status === 503 || status === 504) return new AppError('COORDINATOR_UNREACHABLE', message);
  return new AppError(body.code ?? 'HTTP_STATUS', message, { details: { status } });
}

const unreachable = (server: URL, reason: string, cause: unknown): AppError =>
  new AppError('COORDINATOR_UNREACHABLE', `No coordinator answers at ${server.origin} (${reason}).`, { cause });
