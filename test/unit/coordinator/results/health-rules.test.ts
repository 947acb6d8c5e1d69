import { describe, expect, test } from 'vitest';
import { cameraStates, MEANINGS } from '../../../../common/domain/health.ts';
import { verdictOrder, VERDICTS } from '../../../../common/domain/verdict.ts';
import type { Verdict } from '../../../../common/domain/verdict.ts';
import { findingOf, isSuspect, isTrusted, isUndecided } from '../../../../coordinator/results/health/guard.ts';
import { LETTERS, observe, settledLetter } from '../../../../coordinator/results/health/rules.ts';
import type { Health } from '../../../../coordinator/results/health/rules.ts';
import { reasonOf } from '../../../../coordinator/results/health/words.ts';

const MINUTE = 60_000;
const OF_LETTER: Record<string, Verdict> = { g: 'good', o: 'timeout', b: 'black', d: 'corrupt', f: 'frozen', p: 'placeholder' }; // prettier-ignore

/** The states after each sample of a word, a minute apart. */
function live(word: string, from?: Health): Health[] {
  let health = from;
  return [...word].map((letter, index) => {
    health = observe(health, { verdict: OF_LETTER[letter] as Verdict, at: (from?.seenAt ?? 0) + (index + 1) * MINUTE });
    return health;
  });
}
const statesOf = (word: string): string[] => live(word).map(({ state }) => state);
const changesIn = (states: readonly string[]): number =>
  states.filter((state, index) => index > 0 && state !== states[index - 1]).length;

/** Every word of these letters with this length. */
const words = (letters: string, length: number): string[] =>
  length === 0 ? [''] : words(letters, length - 1).flatMap((word) => [...letters].map((letter) => word + letter));

describe('debounce', () => {
  test.each([
    ['one lost frame is no illness', 'gggogggg', 'online'],
    ['nor are two', 'gggoogg', 'online'],
    ['three in a row are', 'gggooo', 'offline'],
    ['so are three of five, but then it works now and then', 'ggogoo', 'degraded'],
    ['recovery takes three good ones', 'gooogg', 'offline'],
    ['and then it is online', 'gooogggg', 'online'],
    ['the first good picture of a camera is enough', 'g', 'online'],
    ['the first bad one is not', 'o', 'unknown'],
    ['nor is the second', 'oo', 'unknown'],
    ['what is seen last decides between two illnesses', 'gbbbooo', 'offline'],
    ['bad pictures of several kinds are just bad', 'gdbo', 'degraded'],
    ['half of the attempts failing after an outage is not offline any more', 'ooooogogogog', 'degraded'],
  ])('%s (%s)', (_name, word, state) => {
    expect(statesOf(word).at(-1)).toBe(state);
  });

  test('no pattern of up to five samples, repeated for ever, makes a camera come and go', () => {
    for (const letters of ['go', 'gb', 'ob', 'gob']) {
      for (let length = 1; length <= 5; length++) {
        for (const word of words(letters, length)) {
          for (const before of ['', 'ggggg', 'ooooo']) {
            const states = statesOf(before + word.repeat(12)).slice(before.length + 2 * length + 5);
            expect(changesIn(states), `${before}, then ${word} again and again: ${states.join()}`).toBe(0);
          }
        }
      }
    }
  });

  test('a state began at the first sample of what led to it, never before the state before, and its age only grows', () => {
    for (const word of words('gob', 6)) {
      const seen = live(word);
      for (const [index, health] of seen.entries()) {
        const before = seen[index - 1];
        if (!before) continue;
        expect(health.since).toBeGreaterThanOrEqual(before.since);
        expect(health.since).toBeLessThanOrEqual(health.seenAt);
        if (health.state === before.state) expect(health.since).toBe(before.since);
      }
    }
    expect(live('gggooo').at(-1)).toMatchObject({ state: 'offline', since: 4 * MINUTE });
  });

  test('a sample that is older than the last one changes nothing', () => {
    const [health] = live('g');
    expect(observe(health, { verdict: 'black', at: MINUTE })).toBe(health);
  });

  test('rows whose next equal sample would change nothing need not be written, and no others', () => {
    for (const word of words('gob', 7)) {
      const health = live(word).at(-1) as Health;
      const letter = settledLetter(health);
      if (letter === null) continue;
      const next = observe(health, { verdict: OF_LETTER[letter] as Verdict, at: health.seenAt + MINUTE });
      expect({ state: next.state, since: next.since }).toEqual({ state: health.state, since: health.since });
      // Leaving the samples out must not change what comes afterwards either.
      for (const after of words('go', 4)) {
        expect(live(after, next).map(({ state }) => state)).toEqual(live(after, health).map(({ state }) => state));
      }
    }
  });
});

describe('what verdicts mean', () => {
  test('each speaks for one state, and what the way says agrees with it', () => {
    for (const verdict of verdictOrder) {
      const { state, transport, perhapsAgent } = MEANINGS[verdict];
      expect(cameraStates).toContain(state);
      expect(LETTERS[state]).toHaveLength(1);
      if (state === 'offline') expect(transport).toBe('down');
      // A page may come from a gate in between, a picture never.
      if (VERDICTS[verdict].yieldsFrame) expect(perhapsAgent).toBe(false);
    }
  });

  test('each state of each verdict has a reason in words', () => {
    for (const verdict of [...verdictOrder, null]) {
      for (const state of cameraStates) {
        const facts = {
          verdict,
          evidence: { httpStatus: 404 },
          held: false,
          unconfirmed: false,
          reachable: true,
          agent: 'first',
        };
        expect(reasonOf({ ...facts, state })).toMatch(/^[A-Z].*\.$/);
        expect(reasonOf({ ...facts, state, held: true })).toContain('first');
      }
    }
    const facts = { evidence: { httpStatus: 404 }, held: false, unconfirmed: false, reachable: true, agent: null };
    expect(reasonOf({ ...facts, state: 'offline', verdict: 'http_error' })).toBe(
      'No picture comes: the host answered with an error (HTTP 404).',
    );
  });
});

describe('the guard', () => {
  const figures = (tried: number, failing: number, hosts: number) => ({ failing, hosts, answering: tried - failing });

  test.each([
    [figures(100, 60, 40), true],
    [figures(100, 60, 2), false],
    [figures(100, 40, 40), false],
    [figures(4, 4, 4), false],
    [figures(8, 5, 3), true],
  ])('%o: suspected %s', (facts, suspected) => {
    expect(isSuspect(facts)).toBe(suspected);
  });

  test.each([
    ['nobody else was tried', { failing: 1, answering: 0, untried: 39, possibleHosts: 30 }, true],
    ['the few that were tried failed', { failing: 3, answering: 0, untried: 9, possibleHosts: 12 }, true],
    ['as many answered as failed', { failing: 3, answering: 3, untried: 9, possibleHosts: 12 }, true],
    ['some answered, and nothing else fails', { failing: 1, answering: 3, untried: 90, possibleHosts: 90 }, false],
    ['all were tried', { failing: 4, answering: 2, untried: 0, possibleHosts: 4 }, false],
    ['it has too few cameras to tell', { failing: 1, answering: 0, untried: 3, possibleHosts: 4 }, false],
    ['it has too few hosts to tell', { failing: 1, answering: 0, untried: 30, possibleHosts: 2 }, false],
    ['most answered', { failing: 2, answering: 20, untried: 15, possibleHosts: 17 }, false],
  ])('it is told whether to wait where %s', (_case, facts, undecided) => {
    expect(isUndecided(facts)).toBe(undecided);
  });

  test('nobody is suspected and trusted at once, and nobody is trusted while half fails', () => {
    for (let tried = 0; tried < 40; tried++) {
      for (let failing = 0; failing <= tried; failing++) {
        const facts = figures(tried, failing, failing);
        expect(isSuspect(facts) && isTrusted(facts)).toBe(false);
      }
    }
  });

  test('a finding waits for three cameras, or for all where there are fewer', () => {
    expect(findingOf({ cameras: 10, tried: 2, failing: 2 })).toBeUndefined();
    expect(findingOf({ cameras: 10, tried: 3, failing: 2 })).toBe('cameras');
    expect(findingOf({ cameras: 10, tried: 3, failing: 1 })).toBe('agent');
    expect(findingOf({ cameras: 1, tried: 1, failing: 1 })).toBe('cameras');
    expect(findingOf({ cameras: 0, tried: 0, failing: 0 })).toBeUndefined();
  });
});
