import { useEffect, useState } from 'react';
import { io } from 'socket.io-client';
import type { Socket } from 'socket.io-client';
import type { CameraRow } from '../../../common/protocol/page-data.ts';
import type { FleetStatus } from '../../../common/protocol/status.ts';
import type { CoordinatorToPage, PageToCoordinator } from '../../../common/protocol/page-link.ts';

type PageSocket = Socket<CoordinatorToPage<FleetStatus, CameraRow>, PageToCoordinator<CameraRow>>;

export type Connection = 'connecting' | 'live' | 'away' | 'refused';

/** The page's one connection: the aggregate of the fleet, and the rows on screen. */
export class Live {
  readonly socket: PageSocket;
  #ids: number[] = [];
  #rows = new Map<number, CameraRow>();
  #listeners = new Set<() => void>();

  constructor(token: string) {
    this.socket = io('/page', { auth: { token }, transports: ['websocket'] });
    this.socket.on('cameras:rows', ({ rows }) => this.#take(rows));
    // The server forgets a subscription with the connection.
    this.socket.on('connect', () => this.#subscribe());
  }

  row(id: number): CameraRow | undefined {
    return this.#rows.get(id);
  }

  show(ids: number[]): void {
    if (ids.join() === this.#ids.join()) return;
    this.#ids = ids;
    this.#subscribe();
  }

  watch(id: number): void {
    if (this.socket.connected) this.socket.emit('cameras:watch', { ids: [id] }, () => undefined);
  }

  onRows(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.socket.close();
  }

  #subscribe(): void {
    if (!this.socket.connected) return;
    this.socket.emit('cameras:subscribe', { ids: this.#ids.slice(0, 200) }, (result) => {
      if (result.ok) this.#take(result.value.rows);
    });
  }

  #take(rows: CameraRow[]): void {
    for (const row of rows) this.#rows.set(row.id, row);
    for (const listener of this.#listeners) listener();
  }
}

export function useStatus(live: Live): { status: FleetStatus | null; connection: Connection; refusal: string } {
  const [status, setStatus] = useState<FleetStatus | null>(null);
  const [connection, setConnection] = useState<Connection>('connecting');
  const [refusal, setRefusal] = useState('');
  useEffect(() => {
    const { socket } = live;
    const connected = () => setConnection('live');
    const gone = () => setConnection('away');
    const refused = (error: Error & { data?: { code?: string } }) => {
      setConnection(error.data?.code === 'UNAUTHENTICATED' ? 'refused' : 'away');
      setRefusal(error.message);
    };
    socket.on('connect', connected).on('disconnect', gone).on('connect_error', refused).on('fleet:status', setStatus);
    return () => {
      socket
        .off('connect', connected)
        .off('disconnect', gone)
        .off('connect_error', refused)
        .off('fleet:status', setStatus);
    };
  }, [live]);
  return { status, connection, refusal };
}

/** Renders again when rows arrive, and every second so that ages go on. */
export function useTick(live: Live): number {
  const [tick, setTick] = useState(0);
  useEffect(() => {
    const step = () => setTick((old) => old + 1);
    const timer = setInterval(step, 1_000);
    const stop = live.onRows(step);
    return () => {
      clearInterval(timer);
      stop();
    };
  }, [live]);
  return tick;
}
