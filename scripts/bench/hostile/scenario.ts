import type { Verdict } from '../../../common/domain/verdict.ts';
import type { FaultName } from '../../camera-farm/faults.ts';

/** What is run. */
export interface HostileScenario {
  hostile: number;
  /** Well-behaved cameras beside them, on hosts of their own. */
  healthy: number;
  /** Well-behaved cameras that offer HLS, which ffmpeg decodes. */
  streams: number;
  /** How often the agent asks each camera, ms. */
  intervalMs: number;
}

export interface HostileCamera {
  url: string;
  transport: 'snapshot' | 'mjpeg' | 'hls';
  host: string;
  name: string;
  /** `null` for the well-behaved. */
  fault: FaultName | null;
}

export interface HostilePlace {
  /** Takes batches as a coordinator does. */
  sink: string;
  cameras: HostileCamera[];
}

/** What became of one camera between two moments. */
export interface CameraTally {
  verdicts: Partial<Record<Verdict, number>>;
  /** The verdict of each attempt, in their order. */
  series: Verdict[];
  /** Monotonic ms of each attempt that brought a frame. */
  frames: number[];
  failed: number;
}

/** What a process holds. */
export interface Vitals {
  residentMb: number;
  /** Open file descriptors: sockets, files, pipes. */
  descriptors: number;
  children: number;
}

export interface HostileTurn {
  /** In the order of the place's cameras. */
  cameras: CameraTally[];
  /** Monotonic ms. */
  from: number;
  until: number;
  vitals: Vitals;
}
