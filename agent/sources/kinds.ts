import { FileSource } from './file.ts';
import { HlsSource } from './hls.ts';
import { MjpegSource } from './mjpeg.ts';
import { createRtmpSource } from './rtmp.ts';
import { createRtspSource } from './rtsp.ts';
import { SnapshotSource } from './snapshot.ts';
import type { FrameSource, PolledSource, SourceContext, SourceSpec, Transport } from './source.ts';

/** A new way to reach a camera is one file and one line here. */
export const sourceKinds: Record<Transport, (spec: SourceSpec, context: SourceContext) => FrameSource> = {
  snapshot: (spec, context) => new SnapshotSource(spec, context),
  mjpeg: (spec, context) => new MjpegSource(spec, context),
  file: (spec, context) => new FileSource(spec, context),
  hls: (spec, context) => new HlsSource(spec, context),
  rtsp: createRtspSource,
  rtmp: createRtmpSource,
};

/** Throws `SOURCE_URL_INVALID` for a URL that this kind of source cannot use. */
export function createSource(spec: SourceSpec, context: SourceContext): FrameSource {
  return sourceKinds[spec.transport](spec, context);
}

/** Whether the scheduler decides when (`fetchOnce`), or the source runs by itself (`frames`, under the supervisor). */
export function isPolled(source: FrameSource): source is PolledSource {
  return 'fetchOnce' in source;
}
