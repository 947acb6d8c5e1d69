import { Command, CommanderError } from 'commander';
import { AppError, codeOf, EXIT, messageOf } from '../../common/runtime/errors.ts';
import { addAgentCommands } from './agents.ts';
import { addBackboneCommands } from './backbone.ts';
import { addCameraCommands } from './cameras.ts';
import { addCardCommands } from './cards.ts';
import { addConfigCommands } from './config.ts';
import { addDatasetCommands } from './datasets.ts';
import { addHealthCommands } from './health.ts';
import { addJobCommands } from './jobs.ts';
import { addLabelCommands } from './labels.ts';
import { addModelCommands } from './models.ts';
import { addNotificationCommands } from './notifications.ts';
import { addProgramCommands } from './processes.ts';
import { addStatusCommand } from './status.ts';
import { addTrainBenchmarkCommand } from './train-benchmark.ts';
import { addTrainCommand } from './train.ts';
import { addTakedownCommands } from './takedown.ts';
import { addTrainingCommands } from './training.ts';
import type { Context } from './verb.ts';

/** The whole tool; a new noun is one file and one line here. */
export function createProgram(context: Context, version: string): Command {
  const program = new Command('camfleet')
    .description('Watches very many public network cameras.')
    .version(version)
    .showHelpAfterError('(add --help for the options and examples)')
    .addHelpText(
      'after',
      '\nExamples:\n  $ camfleet up\n  $ camfleet cameras import cameras.csv\n  $ camfleet status --json\n',
    );
  addProgramCommands(program);
  addCameraCommands(program, context);
  addTakedownCommands(program, context);
  addAgentCommands(program, context);
  addLabelCommands(program, context);
  addDatasetCommands(program, context);
  addModelCommands(program, context);
  addBackboneCommands(program, context);
  addTrainCommand(program, context);
  addTrainBenchmarkCommand(program, context);
  addTrainingCommands(program, context);
  addJobCommands(program, context);
  addStatusCommand(program, context);
  addHealthCommands(program, context);
  addCardCommands(program, context);
  addNotificationCommands(program, context);
  addConfigCommands(program, context);
  forAll(program, (command) =>
    command
      .exitOverride()
      .showHelpAfterError('(add --help for the options and examples)')
      .configureOutput({
        writeOut: (text) => context.terminal.out(text),
        writeErr: (text) => context.terminal.err(text),
      }),
  );
  return program;
}

function forAll(command: Command, act: (command: Command) => void): void {
  act(command);
  for (const child of command.commands) forAll(child, act);
}

/** Runs a command line; gives the exit code. Never rejects. */
export async function runCommand(args: readonly string[], context: Context, version: string): Promise<number> {
  try {
    await createProgram(context, version).parseAsync(args, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    // Commander has said it already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    context.terminal.err(`${messageOf(error)}\n`);
    const exit = error instanceof AppError ? error.details['exit'] : undefined;
    if (typeof exit === 'number') return exit;
    return codeOf(error) === 'CONFIG_INVALID' ? EXIT.usage : EXIT.failed;
  }
}
