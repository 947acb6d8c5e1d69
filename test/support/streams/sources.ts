import { EgressRule } from '../../../agent/sources/egress.ts';
import { Decoders } from '../../../agent/sources/ffmpeg/decoders.ts';
import type { DecodersOptions } from '../../../agent/sources/ffmpeg/decoders.ts';
import { HostLimiter } from '../../../agent/sources/host-limiter.ts';
import { HttpClient } from '../../../agent/sources/http.ts';
import { createSource } from '../../../agent/sources/kinds.ts';
import type { Manners } from '../../../agent/sources/manners.ts';
import type { PolledSource, SourceSpec } from '../../../agent/sources/source.ts';
import { systemClock } from '../../../common/runtime/clock.ts';

export interface StreamWorld {
  decoders: Decoders;
  limiter: HostLimiter;
  source(spec: SourceSpec): PolledSource;
  close(): Promise<void>;
}

/** What a capture thread gives to its sources, with loopback allowed unless `allow` says otherwise. */
export function streamWorld({
  allow = ['127.0.0.0/8'],
  stallMs,
  manners,
  ...options
}: Partial<DecodersOptions> & { allow?: string[]; stallMs?: number; manners?: Manners } = {}): StreamWorld {
  const clock = systemClock;
  const egress = new EgressRule({ allow });
  const limiter = new HostLimiter({ clock, concurrency: 4, minDelayMs: 0 });
  const userAgent = 'camfleet-test (contact@example.org)';
  const http = new HttpClient({ egress, limiter, clock, userAgent });
  const decoders = new Decoders({ clock, ...options });
  const context = {
    http,
    clock,
    ...(stallMs !== undefined && { stallMs }),
    streams: { egress, limiter, decoders, userAgent, ...(manners && { manners }) },
  };
  return {
    decoders,
    limiter,
    source: (spec) => createSource(spec, context) as PolledSource,
    close: async () => {
      await decoders.close();
      await http.close();
    },
  };
}
