import { AppError } from '../common/runtime/errors.ts';

/**
 * INITIALIZED  nothing is open
 * CONNECTING   no welcome yet, or the connection was lost; leases that are held go on
 * RUNNING      the coordinator knows this session
 * DRAINING     no new shards; each one held goes on until somebody else has it
 * STOPPED      everything is closed and delivered as far as possible
 * FAILED       the coordinator refuses this agent or session for good
 */
export type AgentState = 'INITIALIZED' | 'CONNECTING' | 'RUNNING' | 'DRAINING' | 'STOPPED' | 'FAILED';

const STEPS: Record<AgentState, readonly AgentState[]> = {
  INITIALIZED: ['CONNECTING', 'STOPPED', 'FAILED'],
  CONNECTING: ['RUNNING', 'DRAINING', 'STOPPED', 'FAILED'],
  RUNNING: ['CONNECTING', 'DRAINING', 'STOPPED', 'FAILED'],
  DRAINING: ['STOPPED', 'FAILED'],
  STOPPED: [],
  FAILED: [],
};

/** Throws `AGENT_STATE` for a step that there is not. */
export function checkStep(from: AgentState, to: AgentState): void {
  if (STEPS[from].includes(to)) return;
  throw new AppError('AGENT_STATE', `An agent cannot go from ${from} to ${to}; this is a bug.`);
}
