import type { Assignment } from '../../../common/protocol/agent-link.ts';

/** What is run. */
export interface EnduranceScenario {
  cameras: number;
  hosts: number;
  /** How often the agent asks each camera, ms. */
  intervalMs: number;
}

export interface EndurancePlace {
  /** Says welcome, grants shards and takes batches as a coordinator does. */
  coordinator: string;
  /** Knows all hosts' names. */
  nameServer: string;
}

export type CameraToWatch = Omit<Assignment, 'memory'>;

/** What the agent's process holds, as the kernel counts. */
export interface Handles {
  residentMb: number;
  descriptors: number;
  sockets: number;
}

/** What its threads say of themselves. */
export interface Inside {
  heapMb: number;
  /** Array buffers and what belongs to native objects. */
  externalMb: number;
  timers: number;
  /** Whatever keeps an event loop alive, timers included. */
  resources: number;
}

/** Of the agent, since it began. */
export interface Progress {
  cameras: number;
  outboxBatches: number;
  /** Attempts a second over the last ten seconds or more. */
  rate: number;
  late: number;
}
