import type { Command } from 'commander';
import type { FleetStatus } from '../../common/protocol/status.ts';
import type { ConnectionOptions } from './api.ts';
import { listing, table } from './terminal.ts';
import { apiOf, print, speaksApi, verb } from './verb.ts';
import type { Context, Printing } from './verb.ts';

export function addStatusCommand(program: Command, context: Context): void {
  const command = verb(program, 'status', 'The fleet in numbers', ['status', 'status --json']);
  speaksApi(command).action(async (options: ConnectionOptions & Printing) => {
    const status = await (await apiOf(options, context)).get<FleetStatus>('/status');
    print(context, options, status, () => statusWords(status));
  });
}

function statusWords({
  cameras,
  agents,
  shards,
  load,
  stretch,
  advice,
  totals,
  bytes,
  frames,
  model,
}: FleetStatus): string {
  const counts = (map: Record<string, number>): string =>
    Object.entries(map)
      .filter(([, count]) => count > 0)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  const today = bytes[0];
  const refused = agents.filter(({ refusedBatches }) => refusedBatches > 0);
  const dropped = agents.reduce((sum, { picturesDropped }) => sum + picturesDropped, 0);
  const facts = listing({
    cameras: `${cameras.total} (${counts(cameras.byLifecycle) || 'none yet'})`,
    verdicts: counts(cameras.byVerdict) || 'none yet',
    slower:
      cameras.slower > 0 ? `${cameras.slower} cameras are slower than asked (×${stretch.factor.toFixed(2)})` : 'none',
    shards: `${shards.held} of ${shards.total} held`,
    load: `${load.rate.toFixed(1)} of ${load.asked.toFixed(1)} attempts/s asked, capacity ${load.capacity.toFixed(1)}`,
    frames: `${totals.frames} in 24 h, ${totals.unchanged} unchanged, ${totals.classified} classified`,
    kept: `${frames.kept} frames, ${megabytes(frames.bytes)} of ${megabytes(frames.quotaBytes)}${frames.full ? ' (full: nothing new is kept)' : ''}`,
    ...(today && {
      today: `${megabytes(today.fetched)} fetched, ${megabytes(today.sent)} sent, ${megabytes(today.stored)} stored`,
    }),
    ...(refused.length > 0 && {
      refused: refused
        .map(
          ({ name, refusedBatches }) =>
            `${refusedBatches} batches of ${name}, kept in outbox/refused of its data folder`,
        )
        .join('; '),
    }),
    ...(dropped > 0 && {
      dropped: `${dropped} pictures did not fit or could not be delivered; what was seen is counted`,
    }),
    model: model
      ? `${model.name} (${model.version.slice(0, 16)})`
      : 'none: frames are captured and cleaned, not classified',
    advice,
  });
  const rows = agents.map(({ name, state, cameras: held, rate, capacity, late }) => [
    name,
    state,
    held,
    Math.round(rate * 10) / 10,
    Math.round(capacity * 10) / 10,
    late,
  ]);
  return `${facts}\n${table(['AGENT', 'STATE', 'CAMERAS', 'RATE/S', 'CAPACITY/S', 'LATE'], rows)}`;
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
