import { expect, test } from 'vitest';
import { HostNewsBox } from '../../../../agent/pipeline/host-news.ts';
import type { HostRest } from '../../../../common/protocol/agent-link.ts';

const asked = (host: string, until: number): HostRest => ({ host, kind: 'asked', until });

test('news is kept until it has arrived, and what changed on the way is sent again', () => {
  const box = new HostNewsBox();
  expect(box.peek()).toBeUndefined();
  box.add({ rests: [asked('a', 1), asked('b', 1)], addresses: [{ host: 'a', addresses: ['192.0.2.1'] }] });
  const sent = { rests: [asked('a', 1), asked('b', 1)], addresses: [{ host: 'a', addresses: ['192.0.2.1'] }] };
  expect(box.peek()).toEqual(sent);
  // No answer came: the same goes with the next message.
  expect(box.peek()).toEqual(sent);
  box.add({ rests: [asked('a', 2)], addresses: [] });
  box.delivered();
  expect(box.peek()).toEqual({ rests: [asked('a', 2)], addresses: [] });
  box.delivered();
  expect(box.peek()).toBeUndefined();
  box.delivered();
});

test('a flood goes in several messages', () => {
  const box = new HostNewsBox();
  box.add({ rests: Array.from({ length: 700 }, (_, index) => asked(`host-${index}`, index)), addresses: [] });
  const seen = new Set<string>();
  for (let news = box.peek(), messages = 0; news; news = box.peek(), messages++) {
    expect(messages).toBeLessThan(3);
    for (const { host } of news.rests) seen.add(host);
    box.delivered();
  }
  expect(seen.size).toBe(700);
});
