import { invalid } from './settings.ts';
import type { Sources } from './settings.ts';

export { loadAgentConfig } from './agent.ts';
export type { AgentConfig } from './agent.ts';
export { loadCoordinatorConfig } from './coordinator.ts';
export type { CoordinatorConfig } from './coordinator.ts';
export type { LoadedConfig, SettingDescription, Sources } from './settings.ts';

/** Short names of settings that are given often. */
const SHORT: Readonly<Record<string, string>> = {
  data: 'dataFolder',
  listen: 'listen.host',
  port: 'listen.port',
  url: 'coordinator.url',
};

/**
 * For the `main.ts` files: `--config FILE`, `--data DIR` and any setting by its key, `--listen.port 8601` or
 * `--listen.port=8601`. Booleans need their value.
 */
export function sourcesFrom(args: readonly string[], environment: NodeJS.ProcessEnv): Sources {
  const flags: Record<string, unknown> = {};
  let file: string | undefined;
  for (let at = 0; at < args.length; at++) {
    const [, name, inline] = /^--([A-Za-z][A-Za-z.]*)(?:=(.*))?$/s.exec(args[at] ?? '') ?? [];
    if (name === undefined) throw invalid([`"${args[at] ?? ''}" is not a flag; flags look like --listen.port 8601`]);
    const value = inline ?? args[++at];
    if (value === undefined) throw invalid([`the flag --${name} has no value`]);
    if (name === 'config') file = value;
    else flags[SHORT[name] ?? name] = value;
  }
  return { ...(file !== undefined && { file }), environment, flags };
}
