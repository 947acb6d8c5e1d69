import { z } from 'zod';
import { cameraIdSchema } from '../domain/camera.ts';
import type { Result } from '../runtime/result.ts';

/**
 * What the page hears on the socket (namespace `/page`; `auth: { token }` with the role viewer). One aggregate for everybody,
 * and the rows that a page has on screen: cost does not grow with the number of cameras.
 */
export const PAGE_NAMESPACE = '/page';

/** The most rows that one page may watch. */
export const MOST_WATCHED_ROWS = 200;

/** Cameras on screen; replaces the earlier subscription, an empty list ends it. */
export const subscribeSchema = z.object({ ids: z.array(cameraIdSchema).max(MOST_WATCHED_ROWS) });

/** Somebody looks at these cameras: holders send each new picture for so many seconds. */
export const watchSchema = z.object({ ids: z.array(cameraIdSchema).min(1).max(8) });

export interface PageToCoordinator<Row> {
  'cameras:subscribe': (
    request: z.infer<typeof subscribeSchema>,
    ack: (result: Result<{ rows: Row[] }>) => void,
  ) => void;
  'cameras:watch': (request: z.infer<typeof watchSchema>, ack: (result: Result<{ seconds: number }>) => void) => void;
}

export interface CoordinatorToPage<Status, Row> {
  /** At most once a second, and only where something changed. */
  'fleet:status': (status: Status) => void;
  /** Of the subscribed rows those that changed. */
  'cameras:rows': (change: { rows: Row[] }) => void;
}
