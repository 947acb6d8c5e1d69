import { EXIT, codeOf, messageOf } from '../common/runtime/errors.ts';
import { quickstart } from './quickstart/quickstart.ts';
import { HELP, quickstartOptions } from './quickstart/options.ts';

const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function main(): Promise<number> {
  const options = quickstartOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(HELP);
  else await quickstart(options, say);
  return EXIT.done;
}

process.exitCode = await main().catch((error: unknown) => {
  say(messageOf(error));
  return ['USAGE', 'CONFIG_INVALID'].includes(codeOf(error) ?? '') ? EXIT.usage : EXIT.failed;
});
// An open channel to a child that was killed would keep us here.
process.exit();
