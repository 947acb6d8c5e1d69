import { readFileSync } from 'node:fs';
import { startProgram } from './processes.ts';
import { runCommand } from './program.ts';
import { processContext } from './verb.ts';

// `camfleet … | head` ends the pipe early: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const args = process.argv.slice(2);
const started = startProgram(args, processContext.terminal.out);
if (started) await started;
else process.exitCode = await runCommand(args, processContext, versionOf());

function versionOf(): string {
  // The same from scripts/camfleet and from dist/scripts/camfleet.
  for (const place of ['../../package.json', '../../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8')) as { version: string }).version;
    } catch {
      continue;
    }
  }
  return 'unknown';
}
