/** What the cameras of one part of bench:capture show. */
export interface Scenario {
  name: string;
  width: number;
  height: number;
  mode: 'changed' | 'unchanged';
  cameras: number;
  /** Frames encoded beforehand for each scene. */
  frames: number;
  scenes: number;
  /** How often the agent asks each camera, ms. */
  intervalMs: number;
  /** Cameras beside those, on hosts of their own, that never give a picture. */
  failing?: number;
}

export interface FarmPlace {
  /** Takes batches as a coordinator does. */
  sink: string;
  cameras: FarmAddress[];
  failing: FarmAddress[];
}

export interface FarmAddress {
  url: string;
  host: string;
  name: string;
}

/** What was done between two moments; failing cameras are not counted. */
export interface Turn {
  frames: number;
  unchanged: number;
  /** Attempts that brought no frame. */
  failed: number;
  /** Verdict and evidence of the last one of them; '' where none ever failed. */
  lastFailure: string;
  bytes: number;
  cpuMs: number;
  wallMs: number;
}

const CAMERAS = 2_000;

export const CHANGED_352: Scenario = {
  name: 'changed352',
  width: 352,
  height: 288,
  mode: 'changed',
  cameras: CAMERAS,
  frames: 16,
  scenes: 8,
  // More than a core can do: it is always busy.
  intervalMs: 100,
};
// 200 with equal bytes, which only the digest tells.
export const UNCHANGED_352: Scenario = { ...CHANGED_352, name: 'unchanged352', mode: 'unchanged' };
export const CHANGED_720: Scenario = {
  ...CHANGED_352,
  name: 'changed720',
  width: 1280,
  height: 720,
  frames: 8,
  scenes: 4,
};
/** 1 % and 20 % of all cameras, beside as many healthy ones as without them. */
export const FAILING_SHARES = { failing1: 0.01, failing20: 0.2 };
export const failingBeside = (share: number): number => Math.round((CAMERAS * share) / (1 - share));
export const FAILING_352: Scenario = { ...CHANGED_352, name: 'failing', failing: failingBeside(0.2) };
