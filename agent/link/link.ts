import { EventEmitter } from 'node:events';
import { io } from 'socket.io-client';
import type { Socket } from 'socket.io-client';
import { AGENT_NAMESPACE } from '../../common/protocol/agent-link.ts';
import type { AgentToCoordinator, CoordinatorToAgent, Hello, Welcome } from '../../common/protocol/agent-link.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { fail } from '../../common/runtime/result.ts';
import type { Logger } from '../../common/runtime/logger.ts';
import { messageOf } from '../../common/runtime/errors.ts';
import { backoffMs } from '../../common/runtime/retry.ts';
import type { CoordinatorHttp } from './coordinator-http.ts';
import { signHandshake } from './identity.ts';
import type { Identity } from './identity.ts';

type Calls = AgentToCoordinator;
export type CallName = keyof Calls;
export type Request<E extends CallName> = Parameters<Calls[E]>[0];
/** The Result that acknowledges a call. */
export type Answer<E extends CallName> = Parameters<Parameters<Calls[E]>[1]>[0];

/** Refusals that do not pass: the agent stops instead of trying again. */
const HINTS = [
  'work:available',
  'shard:changed',
  'lease:lost',
  'model:available',
  'camera:watch',
  'camera:capture',
  'takedown:changed',
] as const;
const FINAL = new Set([
  'PROTOCOL_UNSUPPORTED',
  'AGENT_REVOKED',
  'AGENT_UNKNOWN',
  'SIGNATURE_WRONG',
  'SESSION_SUPERSEDED',
]);

// After an outage a holder has one TTL (15 s) to be heard again: a third of it leaves room for a failed try.
const RECONNECT = { firstMs: 500, ceilingMs: 5_000 };

/**
 * Renewals in a row without an answer after which a connection on which nothing else arrived either is taken for dead. The
 * socket's own rule notices a half-open one only after some 20 s; two renewals of 5 s leave room inside a TTL of 15 s to connect
 * anew. A coordinator that is overloaded still pings: connecting anew would only add to its load.
 */
const UNANSWERED_RENEWALS = 2;
/** In timeouts of a call, 5 s: two of the coordinator's pings, one each 4 s, did not come. */
const SILENT_TIMEOUTS = 1.6;
/** Also in timeouts of a call. After an outage a whole fleet says hello at once; who asks again loses its place. */
const HELLO_TIMEOUTS = 4;
const CALL_TIMEOUT_MS = 5_000;

export interface LinkEvents {
  /** Hello was answered; sent and received are monotonic ms around it. */
  ready: [welcome: Welcome, times: { sentAt: number; receivedAt: number }];
  lost: [reason: string];
  /** The coordinator does not want this agent or session any more. */
  final: [code: string, message: string];
  hint: [event: keyof CoordinatorToAgent, payload: unknown];
}

export interface LinkOptions {
  identity: Identity;
  sessionId: string;
  http: CoordinatorHttp;
  hello(): Hello;
  clock: Clock;
  logger: Logger;
  callTimeoutMs?: number;
}

/** The socket to the coordinator: connects, says hello, and connects again with jitter for as long as nobody says "final". */
export class CoordinatorLink extends EventEmitter<LinkEvents> {
  readonly #options: LinkOptions;
  readonly #socket: Socket<CoordinatorToAgent, Calls>;
  readonly #closed = new AbortController();
  #attempt = 0;
  #retrying = false;
  #ready = false;
  #unansweredRenewals = 0;
  /** When the last packet of any kind arrived, monotonic ms. */
  #heardAt = -Infinity;

  constructor(options: LinkOptions) {
    super();
    this.#options = options;
    const { identity, sessionId, http } = options;
    // The library's own reconnection would reuse a spent nonce after a refusal and has no state "final".
    this.#socket = io(`${identity.coordinatorUrl.replace(/\/+$/, '')}${AGENT_NAMESPACE}`, {
      autoConnect: false,
      reconnection: false,
      transports: ['websocket'],
      auth: (give) => {
        http.nonce().then(
          (nonce) => give(signHandshake(identity, sessionId, nonce)),
          (error: unknown) => this.#connectLater(messageOf(error)),
        );
      },
    });
    this.#listen();
  }

  get #callTimeoutMs(): number {
    return this.#options.callTimeoutMs ?? CALL_TIMEOUT_MS;
  }

  get isReady(): boolean {
    return this.#ready;
  }

  connect(): void {
    this.#socket.connect();
  }

  close(): void {
    this.#closed.abort();
    this.#ready = false;
    this.#socket.disconnect();
  }

  /** One object in, one Result out; network trouble and a late answer are the Result `NO_ANSWER`. Never throws. */
  async call<E extends CallName>(event: E, request: Request<E>): Promise<Answer<E>> {
    if (!this.#socket.connected) return fail('NO_ANSWER', 'There is no connection to the coordinator.') as Answer<E>;
    try {
      const timeoutMs = this.#callTimeoutMs * (event === 'agent:hello' ? HELLO_TIMEOUTS : 1);
      const timed = this.#socket.timeout(timeoutMs) as unknown as {
        emitWithAck(event: E, request: Request<E>): Promise<Answer<E>>;
      };
      const answer = await timed.emitWithAck(event, request);
      this.#unansweredRenewals = 0;
      if (!answer.ok && event !== 'agent:hello') this.#judge(answer.error);
      return answer;
    } catch (error) {
      if (event === 'lease:renew') this.#missRenewal();
      return fail('NO_ANSWER', `The coordinator did not answer ${event}: ${messageOf(error)}`) as Answer<E>;
    }
  }

  #missRenewal(): void {
    this.#unansweredRenewals++;
    const { clock, logger } = this.#options;
    const isSilent = clock.monotonic() - this.#heardAt > this.#callTimeoutMs * SILENT_TIMEOUTS;
    if (this.#unansweredRenewals < UNANSWERED_RENEWALS || !isSilent || !this.#socket.connected) return;
    this.#unansweredRenewals = 0;
    logger.warn({ renewals: UNANSWERED_RENEWALS }, 'the connection is silent, connecting anew');
    this.#socket.disconnect();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.io.on('open', () => {
      socket.io.engine.on('packet', () => (this.#heardAt = this.#options.clock.monotonic()));
    });
    socket.on('connect', () => void this.#greet());
    socket.on('disconnect', (reason) => {
      this.#ready = false;
      this.emit('lost', reason);
      this.#connectLater(reason);
    });
    socket.on('connect_error', (error) => {
      const data = (error as { data?: { code?: string; message?: string } }).data;
      const code = data?.code ?? error.message;
      if (FINAL.has(code)) this.#finish(code, data?.message ?? error.message);
      else this.#connectLater(messageOf(error));
    });
    socket.on('session:superseded', ({ reason }) => this.#finish('SESSION_SUPERSEDED', reason));
    for (const event of HINTS) socket.on(event, (payload: unknown) => void this.emit('hint', event, payload));
  }

  #judge({ code, message }: { code: string; message: string }): void {
    if (FINAL.has(code)) this.#finish(code, message);
    // The coordinator does not know this session (any more): introduce it on a new connection.
    else if (code === 'HELLO_FIRST') this.#socket.disconnect();
  }

  async #greet(): Promise<void> {
    const { clock, hello, http, logger } = this.#options;
    const sentAt = clock.monotonic();
    const answer = await this.call('agent:hello', hello());
    const receivedAt = clock.monotonic();
    if (!answer.ok) {
      if (FINAL.has(answer.error.code)) return this.#finish(answer.error.code, answer.error.message);
      logger.warn({ code: answer.error.code, reason: answer.error.message }, 'the coordinator did not say welcome');
      this.#socket.disconnect();
      return;
    }
    this.#attempt = 0;
    this.#ready = true;
    http.useSessionKey(answer.value.sessionKey);
    this.emit('ready', answer.value, { sentAt, receivedAt });
  }

  #connectLater(reason: string): void {
    if (this.#closed.signal.aborted || this.#retrying) return;
    this.#retrying = true;
    const wait = backoffMs(RECONNECT, this.#attempt++);
    this.#options.logger.info(
      { reason, wait, attempt: this.#attempt },
      'no connection to the coordinator, trying again',
    );
    this.#socket.disconnect();
    this.#options.clock.sleep(wait, this.#closed.signal).then(
      () => {
        this.#retrying = false;
        this.#socket.connect();
      },
      () => {},
    );
  }

  #finish(code: string, message: string): void {
    if (this.#closed.signal.aborted) return;
    this.close();
    this.emit('final', code, message);
  }
}
