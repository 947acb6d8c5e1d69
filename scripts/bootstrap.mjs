// From a fresh clone to a running command: `node scripts/bootstrap.mjs quickstart|test|build|camfleet [argument …]`.
// Plain JavaScript and Node alone, because it runs before anything is installed. `--yes` installs without asking.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './set-up/build.mjs';
import { runInForeground } from './set-up/foreground.mjs';
import { checkNode, fetchFfmpeg, installPackages } from './set-up/install.mjs';
import { installSystemPackages } from './set-up/packages.mjs';
import { say, SetUpError } from './set-up/progress.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** What runs when everything is in place. */
const COMMANDS = {
  quickstart: (args) => runInForeground(process.execPath, [join(ROOT, 'dist/scripts/quickstart.js'), ...args]),
  camfleet: (args) => runInForeground(process.execPath, [join(ROOT, 'dist/scripts/camfleet/main.js'), ...args]),
  test: (args) => {
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
    return runInForeground(process.execPath, [vitest, 'run', '--config', 'test/vitest.config.ts', ...args], {
      cwd: ROOT,
    });
  },
  build: () => 0,
};

async function main([command = '', ...rest]) {
  const run = COMMANDS[command];
  if (!run)
    throw new SetUpError(`Usage: node scripts/bootstrap.mjs ${Object.keys(COMMANDS).join('|')} [argument …]`, 2);
  const args = rest.filter((argument) => argument !== '--yes');
  checkNode();
  const skipped = await installSystemPackages(command, { yes: args.length < rest.length });
  await installPackages(ROOT);
  await fetchFfmpeg(ROOT);
  await build(ROOT);
  const code = await run(args);
  for (const sentence of skipped) say(sentence);
  return code;
}

process.exitCode = await main(process.argv.slice(2)).catch((error) => {
  say(error instanceof SetUpError ? error.message : error.stack);
  return error.exitCode ?? 1;
});
