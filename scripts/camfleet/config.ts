import { Option } from 'commander';
import type { Command } from 'commander';
import { loadAgentConfig, loadCoordinatorConfig } from '../../config/load.ts';
import { table } from './terminal.ts';
import { print, verb } from './verb.ts';
import type { Context } from './verb.ts';

interface ShowOptions {
  of: 'coordinator' | 'agent';
  config?: string;
  data?: string;
  json?: boolean;
}

export function addConfigCommands(program: Command, context: Context): void {
  const config = program.command('config').description('Settings: default < file < environment < flag');
  verb(config, 'show', 'Every setting, its value and where that came from; secrets are hidden', [
    'config show',
    'config show --of agent --json',
  ])
    .addOption(new Option('--of <process>', 'whose settings').choices(['coordinator', 'agent']).default('coordinator'))
    .option('--config <file>', 'a configuration file')
    .option('--data <folder>', 'data folder')
    .option('--json', 'print one JSON document')
    .action((options: ShowOptions) => {
      const load = options.of === 'agent' ? loadAgentConfig : loadCoordinatorConfig;
      const sources = { environment: context.environment, flags: { dataFolder: options.data } };
      const settings = load({ ...sources, ...(options.config !== undefined && { file: options.config }) }).describe();
      print(context, options, { settings }, () =>
        table(
          ['KEY', 'VALUE', 'FROM', 'ALLOWED', 'ENVIRONMENT'],
          settings.map(({ key, value, origin, allowed, environmentVariable }) => [
            key,
            value,
            origin,
            allowed,
            environmentVariable,
          ]),
        ),
      );
    });
}
