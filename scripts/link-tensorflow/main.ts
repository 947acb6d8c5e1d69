import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppError, EXIT, codeOf, messageOf } from '../../common/runtime/errors.ts';
import { buildBinding, checkPlatform, isLinked } from './binding.ts';
import { HELP, linkOptions } from './options.ts';
import type { LinkOptions } from './options.ts';
import { ensurePackage } from './package.ts';
import { findWheel } from './python.ts';
import { run } from './run.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function link({ python, force }: LinkOptions) {
  const startedAt = Date.now();
  checkPlatform();
  const wheel = await findWheel(python);
  say(`TensorFlow ${wheel.version} in ${wheel.folder}`);
  const target = await ensurePackage(ROOT);
  const wasLinked = !force && isLinked(wheel, target);
  if (!wasLinked) await buildBinding(wheel, target);
  else say('It is linked already.');
  const engine = await trainOneStep();
  say(`It trains: ${engine}`);
  return {
    engine,
    tensorflow: { version: wheel.version, folder: wheel.folder, python: wheel.python },
    package: { version: target.version, fetched: target.isNew },
    built: !wasLinked,
    seconds: (Date.now() - startedAt) / 1000,
  };
}

/** Throws `LINK_BROKEN` with what the child said. */
async function trainOneStep(): Promise<string> {
  const program = fileURLToPath(new URL('verify.ts', import.meta.url));
  // The loader of the TypeScript sources is among the arguments of this very process.
  const { code, stdout, stderr } = await run(process.execPath, [...process.execArgv, program], {
    progress: 'Loading TensorFlow and training one step',
  });
  const answer =
    code === 0
      ? (JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { engine: string; isRight: boolean })
      : undefined;
  if (answer?.isRight === true) return answer.engine;
  const why = answer ? 'but the step gave wrong numbers' : `but loading it ended with ${code}`;
  throw new AppError(
    'LINK_BROKEN',
    `The binding was built, ${why}. tensorflow==2.21.0 is known to work; with another one installed, ` +
      `run this again with --force.\n${stderr.trim().slice(-4_000)}`,
  );
}

async function main(args: readonly string[]): Promise<number> {
  const options = linkOptions(args);
  if (options.help) process.stdout.write(HELP);
  else {
    const result = await link(options);
    if (options.json) console.log(JSON.stringify(result));
  }
  return EXIT.done;
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  say(error instanceof AppError ? error.message : ((error as Error).stack ?? messageOf(error)));
  return codeOf(error) === 'USAGE' ? EXIT.usage : EXIT.failed;
});
