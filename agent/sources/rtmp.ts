import { RelayedSource } from './relayed.ts';
import type { RelayProtocol } from './relayed.ts';
import { rtmpAlias, RtmpDialogue } from './rtmp-relay.ts';
import type { SourceContext, SourceSpec } from './source.ts';

const RTMP: RelayProtocol = {
  scheme: 'rtmp',
  staysBelowMs: 10_000,
  dialogue: ({ target, ends, port, isBrief }) => new RtmpDialogue(target, ends, port, isBrief),
  alias: rtmpAlias,
};

/** A stream of a server that speaks RTMP. */
export const createRtmpSource = (spec: SourceSpec, context: SourceContext): RelayedSource =>
  new RelayedSource(spec, context, RTMP);
