// Preloaded into a process of ours (NODE_OPTIONS=--require): its clocks run as the file CAMFLEET_TEST_CLOCK says, an object
// { wallMs, monotonicMs } of what is added to the machine's own. Threads read it for themselves.
'use strict';
const { readFileSync } = require('node:fs');

const path = process.env.CAMFLEET_TEST_CLOCK;
const LOOK_MS = 50;
const trueHrtime = process.hrtime;
const trueNow = performance.now.bind(performance);
const TrueDate = Date;
let shift = { wallMs: 0, monotonicMs: 0 };
let lookedAt = -Infinity;

function current() {
  const now = trueNow();
  if (now - lookedAt < LOOK_MS) return shift;
  lookedAt = now;
  shift = JSON.parse(readFileSync(path, 'utf8'));
  return shift;
}

const nanoseconds = () => trueHrtime.bigint() + BigInt(Math.round(current().monotonicMs * 1e6));

function hrtime(since) {
  const now = nanoseconds();
  const [seconds, rest] = since ?? [0, 0];
  const passed = now - (BigInt(seconds) * 1_000_000_000n + BigInt(rest));
  return [Number(passed / 1_000_000_000n), Number(passed % 1_000_000_000n)];
}
hrtime.bigint = nanoseconds;

process.hrtime = hrtime;
performance.now = () => trueNow() + current().monotonicMs;
globalThis.Date = class extends TrueDate {
  constructor(...given) {
    if (given.length > 0) super(...given);
    else super(TrueDate.now() + current().wallMs);
  }

  static now() {
    return Math.floor(TrueDate.now() + current().wallMs);
  }
};
