import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';
import { redact } from './redact.ts';

export type { Logger } from 'pino';

export interface LoggerOptions {
  level: string;
  /** Fields on every line, e.g. `{ app: 'agent' }`. */
  base?: Record<string, unknown>;
  destination?: DestinationStream;
}

/**
 * JSON lines on stderr (stdout belongs to a command's result). Every line passes the redactor on its way out, whatever the
 * caller logged: one sink, so no credential depends on a caller's care.
 */
export function createLogger({ level, base, destination }: LoggerOptions): Logger {
  const out = destination ?? pino.destination({ dest: 2, sync: true });
  const sink: DestinationStream = { write: (line) => void out.write(redact(line)) };
  return pino({ level, base: base ?? {}, timestamp: pino.stdTimeFunctions.isoTime }, sink);
}

export const silentLogger: Logger = pino({ level: 'silent' });
