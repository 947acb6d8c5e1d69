import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { Capacity } from '../../../agent/capacity.ts';
import { stopOnSignals } from '../../../agent/signals.ts';
import { checkStep } from '../../../agent/states.ts';

function setUp() {
  const steps: string[] = [];
  const process = Object.assign(new EventEmitter(), { exit: (code: number) => void steps.push(`exit ${code}`) });
  stopOnSignals(
    { drain: async () => void steps.push('drain'), cancel: async () => void steps.push('cancel') },
    process as never,
  );
  return { steps, process };
}

describe('the ladder of signals', () => {
  test('the first drains, the second cancels, the third exits', () => {
    const { steps, process } = setUp();
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGTERM']) process.emit(signal);
    expect(steps).toEqual(['drain', 'cancel', 'exit 1']);
  });

  test('the death of whoever started the agent drains it, but never cancels a drain', () => {
    const { steps, process } = setUp();
    process.emit('SIGTERM');
    process.emit('disconnect');
    expect(steps).toEqual(['drain']);
  });
});

describe('the states of an agent', () => {
  test('a drain does not go back to running, and the end is the end', () => {
    expect(() => checkStep('RUNNING', 'DRAINING')).not.toThrow();
    expect(() => checkStep('DRAINING', 'RUNNING')).toThrow('cannot go from DRAINING');
    expect(() => checkStep('STOPPED', 'CONNECTING')).toThrow('cannot go');
  });
});

describe('the capacity of an agent', () => {
  test('falls to what was managed where busy threads are late, and comes back when they keep up', () => {
    const capacity = new Capacity(1_000);
    expect(capacity.learn({ rate: 400, lateShare: 0.5, busy: 0.95 })).toBe(360);
    for (let i = 0; i < 200; i++) capacity.learn({ rate: 300, lateShare: 0, busy: 0.5 });
    expect(capacity.current).toBe(1_000);
  });

  test('slow cameras on an idle machine do not lower it', () => {
    const capacity = new Capacity(1_000);
    expect(capacity.learn({ rate: 2, lateShare: 0.9, busy: 0.1 })).toBe(1_000);
  });
});
