import { Option } from 'commander';
import type { Command } from 'commander';
import { AppError, EXIT, codeOf, messageOf } from '../../common/runtime/errors.ts';
import { backbonesOf, findBackbone } from '../../trainer/backbone/folder.ts';
import { printOne, tell, worksOnFiles } from './backbone-output.ts';
import type { DataOptions } from './backbone-output.ts';
import { progressBar } from './terminal.ts';
import { verb, wholeNumber } from './verb.ts';
import type { Context } from './verb.ts';

interface QuantiseFlags extends DataOptions {
  dataset: string;
  manifest?: string;
  split?: 'camera' | 'time' | 'random';
  force?: boolean;
  name?: string;
  images: number;
  seed: number;
  threads?: number;
}

const HELP = `
The trunk's convolutions become integers: activations of 8 bits, weights of 7 by channel, so that no CPU overflows. Their
ranges come from training pictures of DIR as agents would see them, never augmented, each class in turn. Heads that were
trained on the fp32 trunk do not fit the new one: train again on it. "camfleet train benchmark --trunk int8" says what
it costs in F1, "npm run bench:classify -- --backbone FOLDER" what it gains in speed.
`;

/** A verb of `camfleet backbone`. */
export function addQuantiseCommand(backbone: Command, context: Context): void {
  const command = verb(backbone, 'quantise <backbone>', 'Make an 8-bit trunk of an fp32 one, for CPUs', [
    'backbone quantise inception-v3 --dataset pulled',
    'backbone quantise data/backbones/3f… --dataset places19 --manifest profileB.json --images 400',
  ])
    .requiredOption('--dataset <dir>', 'folder of labelled pictures; its training part sets the ranges')
    .option('--manifest <file>', 'which picture is in which class and part, relative to the dataset')
    .addOption(new Option('--split <rule>', 'draw the parts anew').choices(['camera', 'time', 'random']))
    .option('--force', 'go on although the same camera or picture is in two parts')
    .option('--name <name>', 'what people call it (default: the name of the fp32 one with -int8)')
    .option(
      '--images <n>',
      'pictures that set the ranges; fewer than 300 leave them to chance',
      wholeNumber(1, 100_000),
      304,
    ) // prettier-ignore
    .option('--seed <n>', 'decides which pictures', wholeNumber(0, 2_147_483_647), 1)
    .option('--threads <n>', 'of the trunk (default: all cores)', wholeNumber(1, 1024))
    .addHelpText('after', HELP);
  worksOnFiles(command).action(async (which: string, flags: QuantiseFlags) => {
    const made = await quantised(which, flags, context).catch((error: unknown) => {
      throw withExit(error);
    });
    tell(context, made);
    printOne(context, flags, made);
  });
}

/** Loads ONNX Runtime only here: it would slow every other command down. */
async function quantised(which: string, flags: QuantiseFlags, context: Context) {
  const { stat } = await import('node:fs/promises');
  const { availableParallelism } = await import('node:os');
  const { loadBackbone } = await import('../../trainer/backbone/backbone.ts');
  const { loadDataset } = await import('../../trainer/dataset/load.ts');
  const { calibrationPictures } = await import('../../trainer/export/calibration-pictures.ts');
  const { quantiseBackbone } = await import('../../trainer/export/quantise-backbone.ts');
  const root = backbonesOf(flags.data);
  const isFolder = (await stat(which).catch(() => undefined))?.isDirectory() ?? false;
  const backbone = await loadBackbone(isFolder ? which : (await findBackbone(root, which)).folder);
  if (backbone.manifest.identity.precision === 'int8') {
    throw new AppError('USAGE', `${backbone.name} has an 8-bit trunk already; name the fp32 one that it was made of.`);
  }
  const { dataset: folder, manifest, split, force, images, seed, threads, name } = flags;
  const dataset = await loadDataset(folder, {
    ...(manifest !== undefined && { manifest }),
    ...(split !== undefined && { split: { by: split, seed: 1, index: 0 } }),
    force: force ?? false,
  });
  const pictures = await calibrationPictures(dataset, backbone, { count: images, seed });
  let bar: ReturnType<typeof progressBar> | undefined;
  const made = await quantiseBackbone(backbone, pictures, {
    root,
    threads: threads ?? availableParallelism(),
    ...(name !== undefined && { name }),
    onProgress: (done, total) => (bar ??= progressBar(context.terminal, 'Calibrating', total)).at(done),
  });
  bar?.end();
  return made;
}

/** Mistakes in what was asked for; a leak is a refusal; anything else a failure. */
const USAGE = ['USAGE', 'BACKBONE_NOT_FOUND', 'BACKBONE_AMBIGUOUS', 'DATASET_NOT_FOUND', 'DATASET_SPLIT_UNKNOWN'];

function withExit(error: unknown): unknown {
  if (!(error instanceof AppError)) return error;
  const code = codeOf(error) ?? '';
  const exit = USAGE.includes(code) ? EXIT.usage : code === 'DATASET_LEAK' ? EXIT.refused : EXIT.failed;
  return new AppError(code, messageOf(error), { cause: error, details: { ...error.details, exit } });
}
