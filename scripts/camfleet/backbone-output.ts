import type { Command } from 'commander';
import type { BackboneEntry } from '../../trainer/backbone/folder.ts';
import { listing } from './terminal.ts';
import { print } from './verb.ts';
import type { Context, Printing } from './verb.ts';

/** What every verb of `camfleet backbone` takes. */
export interface DataOptions extends Printing {
  data: string;
}

export const worksOnFiles = (command: Command): Command =>
  command.option('--data <folder>', 'data folder', 'data').option('--json', 'print one JSON document');

export function tell(context: Context, { warnings }: { warnings: readonly string[] }): void {
  for (const warning of warnings) context.terminal.err(`Warning: ${warning}.\n`);
}

export function printOne(context: Context, options: Printing, entry: BackboneEntry): void {
  const { digest, folder, manifest } = entry;
  print(context, options, { digest, folder, ...manifest }, () =>
    listing({
      ...summaryOf(entry),
      features: summaryOf(entry).features.join(' × '),
      warnings: manifest.warnings.join('; '),
    }),
  );
}

export function summaryOf({ digest, folder, manifest }: BackboneEntry) {
  const { identity, name, source, createdAt, warnings } = manifest;
  return {
    digest,
    name,
    kind: identity.kind,
    cut: identity.cut,
    features: identity.featureDims,
    precision: identity.precision,
    input: `${identity.input.width} × ${identity.input.height}, ${identity.input.layout}`,
    weights: identity.weights.sha256,
    source,
    createdAt,
    folder,
    warnings,
  };
}
