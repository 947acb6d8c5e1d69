import { readFileSync } from 'node:fs';
import { BRANDS } from '../config/brands.ts';
import { loadCoordinatorConfig, sourcesFrom } from '../config/load.ts';
import { codeOf, EXIT, messageOf } from '../common/runtime/errors.ts';
import { createLogger } from '../common/runtime/logger.ts';
import { greetAdministrator } from './administrator.ts';
import { startCoordinator } from './coordinator.ts';
import type { Coordinator } from './coordinator.ts';

/** The coordinator as a process: configuration, signals, the link. Settings: `camfleet config show`. */
async function main(): Promise<void> {
  const { config } = loadCoordinatorConfig(sourcesFrom(process.argv.slice(2), process.env));
  const logger = createLogger({ level: config.log.level, base: { app: 'coordinator' } });
  const starting = startCoordinator({ config, brands: BRANDS, version: versionOf(), logger });
  stopOnSignals(starting);
  const coordinator = await starting;
  greetAdministrator(coordinator, { terminal: process.stdout, logger });
  process.send?.({ ready: { url: coordinator.url } });
}

/** The first signal stops in order, the second at once: PostgreSQL and Redis are then found and stopped by the next start. */
function stopOnSignals(starting: Promise<Coordinator>): void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(EXIT.failed);
    stopping = true;
    void starting.then((coordinator) => coordinator.stop()).then(() => process.exit(EXIT.done));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  // Whoever started us with a channel died: nobody else would stop us.
  process.once('disconnect', () => stopping || stop());
}

function versionOf(): string {
  // The same from coordinator/ and from dist/coordinator/.
  for (const place of ['../package.json', '../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8')) as { version: string }).version;
    } catch {
      continue;
    }
  }
  return 'unknown';
}

await main().catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(codeOf(error) === 'CONFIG_INVALID' ? EXIT.usage : EXIT.failed);
});
