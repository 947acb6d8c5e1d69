import { readFileSync } from 'node:fs';
import convict from 'convict';
import { AppError, codeOf, messageOf } from '../common/runtime/errors.ts';
import { redact } from '../common/runtime/redact.ts';
import type { Kind } from './kinds.ts';

/** One setting: what it may be, its default, and why one would change it. */
export interface Setting<T> {
  kind: Kind<T>;
  default: T;
  doc: string;
  secret: boolean;
  /** The environment variable where it is not the usual one. */
  env?: string | undefined;
}

export const setting = <T>(
  kind: Kind<T>,
  defaultValue: NoInfer<T>,
  doc: string,
  { secret = false, env }: { secret?: boolean; env?: string } = {},
): Setting<T> => ({ kind, default: defaultValue, doc, secret, env });

export interface Schema {
  [name: string]: Schema | Setting<unknown>;
}

/** The plain object that a schema describes. */
export type ConfigOf<S> = { [K in keyof S]: S[K] extends Setting<infer T> ? T : ConfigOf<S[K]> };

export type Origin = 'default' | 'file' | 'environment' | 'flag';

export interface SettingDescription {
  key: string;
  /** `"***"` for a secret that is set. */
  value: unknown;
  origin: Origin;
  doc: string;
  allowed: string;
  environmentVariable: string;
}

export interface Sources {
  /** Absolute path or relative to the working folder; it must exist where `fileIsRequired`. */
  file?: string | undefined;
  fileIsRequired?: boolean;
  environment?: NodeJS.ProcessEnv;
  /** By dotted key, e.g. `{ 'listen.port': '8601' }`; `undefined` means not given. */
  flags?: Record<string, unknown>;
}

export interface LoadedConfig<S> {
  config: ConfigOf<S>;
  /** For `config show`: every setting, where its value comes from, secrets hidden. */
  describe(): SettingDescription[];
}

interface Given {
  key: string;
  value: unknown;
  origin: Origin;
  /** File name, variable or flag, for errors. */
  from: string;
}

/** default < file < environment < flag. An unknown key or a bad value is a `CONFIG_INVALID` that names all of them at once. */
export function loadConfig<S extends Schema>(schema: S, prefix: string, sources: Sources): LoadedConfig<S> {
  const settings = flatten(schema);
  const variables = new Map([...settings].map(([key, { env }]) => [key, env ?? variableOf(prefix, key)]));
  const given = [
    ...fromFile(sources),
    ...fromEnvironment(prefix, variables, sources.environment ?? {}),
    ...fromFlags(sources.flags ?? {}),
  ];
  const problems = given.filter(({ key }) => !settings.has(key)).map((unknown) => describeUnknown(unknown, settings));
  const merged = convict<Record<string, unknown>>(toConvict(schema) as convict.Schema<Record<string, unknown>>, {
    args: [],
    env: {},
  });
  const origins = new Map<string, Given>();
  for (const one of given.filter(({ key }) => settings.has(key))) {
    merged.set(one.key, one.value);
    origins.set(one.key, one);
  }
  for (const [key, { kind, secret }] of settings) {
    const value = merged.get(key) as unknown;
    if (!kind.accepts(value)) {
      problems.push(
        `${key} must be ${kind.allowed}; ${secret ? 'what stands' : `${show(value)} stands`} in ${origins.get(key)?.from ?? 'the defaults'}`,
      );
    }
  }
  if (problems.length > 0) throw invalid(problems);
  return {
    config: merged.getProperties() as ConfigOf<S>,
    describe: () =>
      [...settings].map(([key, { doc, secret, kind }]) => {
        const value = merged.get(key) as unknown;
        return {
          key,
          value: secret && value !== null ? '***' : value,
          origin: origins.get(key)?.origin ?? 'default',
          doc,
          allowed: kind.allowed,
          environmentVariable: variables.get(key) ?? '',
        };
      }),
  };
}

export const invalid = (problems: readonly string[]): AppError =>
  new AppError('CONFIG_INVALID', `The configuration is wrong: ${problems.join('. ')}.`, { details: { problems } });

const isSetting = (node: Schema | Setting<unknown>): node is Setting<unknown> =>
  'kind' in node && 'doc' in node && typeof node['doc'] === 'string';

function flatten(schema: Schema, path = ''): Map<string, Setting<unknown>> {
  return new Map(
    Object.entries(schema).flatMap(([name, node]) =>
      isSetting(node) ? [[`${path}${name}`, node] as const] : [...flatten(node, `${path}${name}.`)],
    ),
  );
}

function toConvict(schema: Schema): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(schema).map(([name, node]) => [
      name,
      isSetting(node)
        ? { format: node.kind.allowed, default: node.default, doc: node.doc, sensitive: node.secret }
        : toConvict(node),
    ]),
  );
}

/** `listen.port` → CAMFLEET_LISTEN_PORT. */
const variableOf = (prefix: string, key: string): string =>
  `${prefix}${key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).replaceAll('.', '_')}`.toUpperCase();

function fromFile({ file, fileIsRequired = false }: Sources): Given[] {
  if (file === undefined) return [];
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (codeOf(error) === 'ENOENT' && !fileIsRequired) return [];
    throw invalid([`the file ${file} cannot be read as JSON (${messageOf(error)})`]);
  }
  return leaves(content, '').map(({ key, value }) => ({ key, value, origin: 'file', from: file }));
}

function leaves(node: unknown, path: string): { key: string; value: unknown }[] {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return [{ key: path, value: node }];
  return Object.entries(node).flatMap(([name, child]) => leaves(child, path === '' ? name : `${path}.${name}`));
}

/** A variable that begins like one of our groups but names none of its settings is a slip of the pen, not somebody else's. */
function fromEnvironment(prefix: string, variables: ReadonlyMap<string, string>, env: NodeJS.ProcessEnv): Given[] {
  const keyOf = new Map([...variables].map(([key, variable]) => [variable, key]));
  const groups = [...variables].filter(([key]) => key.includes('.')).map(([key]) => key.slice(0, key.indexOf('.')));
  const ours = [...new Set(groups)].map((group) => `${variableOf(prefix, group)}_`);
  return Object.entries(env).flatMap(([name, value]) => {
    const key = keyOf.get(name) ?? (ours.some((start) => name.startsWith(start)) ? name : undefined);
    if (key === undefined || value === undefined) return [];
    return [{ key, value, origin: 'environment' as const, from: `the environment variable ${name}` }];
  });
}

const fromFlags = (flags: Record<string, unknown>): Given[] =>
  Object.entries(flags)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ({ key, value, origin: 'flag', from: `the flag --${key}` }));

function describeUnknown({ key, value, from }: Given, settings: ReadonlyMap<string, Setting<unknown>>): string {
  const group = key.includes('.') ? key.slice(0, key.indexOf('.') + 1) : '';
  const near = [...settings.keys()].filter((known) => group !== '' && known.startsWith(group));
  const known = near.length > 0 ? near : [...settings.keys()];
  return `there is no setting "${key}" (${show(value)} stands in ${from}); known are ${known.join(', ')}`;
}

const show = (value: unknown): string => redact(JSON.stringify(value)).slice(0, 200);
