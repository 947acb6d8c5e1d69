import { RelayedSource } from './relayed.ts';
import type { RelayProtocol } from './relayed.ts';
import { rtspAlias, RtspDialogue } from './rtsp-relay.ts';
import type { SourceContext, SourceSpec } from './source.ts';

const RTSP: RelayProtocol = {
  scheme: 'rtsp',
  staysBelowMs: 10_000,
  dialogue: (options) => new RtspDialogue(options),
  alias: rtspAlias,
};

/** A camera that speaks RTSP, over TCP alone. */
export const createRtspSource = (spec: SourceSpec, context: SourceContext): RelayedSource =>
  new RelayedSource(spec, context, RTSP);
