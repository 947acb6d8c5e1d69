import { createLogger } from '../../common/runtime/logger.ts';
import { startServices } from '../../coordinator/platform/services/services.ts';

// Runs PostgreSQL and Redis on the data folder named in the first argument, until SIGTERM.
const services = await startServices({ dataFolder: process.argv[2] ?? '', logger: createLogger({ level: 'debug' }) });
const pids = [services.postgresServer?.pid, services.redisServer?.pid];
process.once('SIGTERM', () => void services.stop().then(() => process.exit(0)));
setInterval(() => undefined, 60_000);
console.log(`ready ${JSON.stringify({ database: services.database, pids })}`);
