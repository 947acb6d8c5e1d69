import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { AppError, EXIT, codeOf, messageOf } from '../../common/runtime/errors.ts';
import type { Backbone } from '../../trainer/backbone/backbone.ts';
import { backbonesOf, checkFiles, findBackbone, listBackbones } from '../../trainer/backbone/folder.ts';
import type { ImportOptions } from '../../trainer/backbone/import-options.ts';
import { KNOWN_WEIGHTS } from '../../trainer/backbone/known-weights.ts';
import { addQuantiseCommand } from './backbone-quantise.ts';
import { worksOnFiles, printOne, summaryOf, tell } from './backbone-output.ts';
import type { DataOptions } from './backbone-output.ts';
import { progressBar, table } from './terminal.ts';
import { decimal, print, printLines, verb } from './verb.ts';
import type { Context } from './verb.ts';

interface ImportFlags extends DataOptions {
  name?: string;
  cut?: string;
  output?: string;
  scale?: number;
  offset?: number;
}
interface FetchFlags extends DataOptions {
  url?: string;
  cut?: string;
}

/** The trainer's own verbs: they work on files, no coordinator need run. */
export function addBackboneCommands(program: Command, context: Context): void {
  const backbone = program
    .command('backbone')
    .description('Networks that the trainer builds on: import, fetch, quantise, list');
  addReads(backbone, context);
  addImport(backbone, context);
  addFetch(backbone, context);
  addQuantiseCommand(backbone, context);
}

function addReads(backbone: Command, context: Context): void {
  const list = verb(backbone, 'list', 'Backbones in the data folder', ['backbone list', 'backbone list --json']);
  worksOnFiles(list)
    .option('--jsonl', 'print one JSON object a line')
    .action(async (options: DataOptions) => {
      const backbones = (await listBackbones(backbonesOf(options.data))).map(summaryOf);
      if (options.jsonl) return printLines(context, backbones);
      print(context, options, { backbones }, () =>
        backbones.length === 0
          ? 'No backbone yet; get one with "camfleet backbone fetch inception-v3" or "camfleet backbone import FILE".\n'
          : table(
              ['DIGEST', 'NAME', 'CUT', 'FEATURES', 'PRECISION', 'SOURCE', 'WARNINGS'],
              backbones.map((b) => [
                b.digest.slice(0, 16),
                b.name,
                b.cut,
                b.features.join(' × '),
                b.precision,
                b.source,
                b.warnings.length || '',
              ]),
            ),
      );
    });
  const show = verb(backbone, 'show <name>', 'One backbone by name or digest; checks its files', [
    'backbone show inception-v3',
  ]);
  worksOnFiles(show).action(async (name: string, options: DataOptions) => {
    const entry = await findBackbone(backbonesOf(options.data), name);
    await checkFiles(entry.folder, entry.manifest);
    printOne(context, options, entry);
  });
}

function addImport(backbone: Command, context: Context): void {
  const command = verb(backbone, 'import <file>', "Make a backbone of Keras' InceptionV3 weights or any ONNX network", [
    'backbone import inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5',
    'backbone import mobilenetv2.onnx --name mobilenet',
    'backbone import resnet.onnx --output /avgpool/out --scale 0.0172 --offset -2.1',
  ])
    .option('--name <name>', 'what people call it')
    .option('--cut <block>', 'InceptionV3: last block of the frozen trunk, mixed0 to mixed10 (default: mixed8)')
    .option('--output <tensor>', 'ONNX: tensor to cut at (default: the one before the classifier)')
    .option('--scale <x>', 'ONNX: input = pixel × scale + offset; with --offset', decimal)
    .option('--offset <x>', 'see --scale', decimal);
  worksOnFiles(command).action(async (file: string, options: ImportFlags) => {
    const { scale, offset } = options;
    if ((scale === undefined) !== (offset === undefined)) throw usage('Give --scale and --offset together.');
    const scaling = scale !== undefined && offset !== undefined ? { scale, offset } : undefined;
    const { name, cut, output } = options;
    const root = backbonesOf(options.data);
    const made = await imported(file, { root, name, cut, output, scaling });
    tell(context, made);
    printOne(context, options, made);
  });
}

function addFetch(backbone: Command, context: Context): void {
  const names = Object.keys(KNOWN_WEIGHTS).join(', ');
  const command = verb(backbone, 'fetch <name>', `Download weights, check them and import them (${names})`, [
    'backbone fetch inception-v3',
    'backbone fetch inception-v3 --url https://mirror.example/inception_v3_notop.h5',
  ])
    .option('--url <url>', 'take the same file from elsewhere')
    .option('--cut <block>', 'last block of the frozen trunk (default: mixed8)');
  worksOnFiles(command).action(async (name: string, options: FetchFlags) => {
    const known = KNOWN_WEIGHTS[name];
    if (!known) throw usage(`There are no known weights ${JSON.stringify(name)}; known are ${names}.`);
    const file = join(options.data, 'downloads', basename(new URL(known.url).pathname));
    const { downloadWeights } = await import('../../trainer/backbone/fetch.ts');
    let bar: ReturnType<typeof progressBar> | undefined;
    await downloadWeights(
      { ...known, url: options.url ?? known.url },
      { file, onProgress: (done, total) => (bar ??= progressBar(context.terminal, 'Downloading', total)).at(done) },
    );
    bar?.end();
    const made = await imported(file, { root: backbonesOf(options.data), name, cut: options.cut });
    tell(context, made);
    printOne(context, options, made);
  });
}

const usage = (message: string): AppError => new AppError('USAGE', message, { details: { exit: EXIT.usage } });

/** Loads ONNX Runtime and HDF5 only here: they would slow every other command down. */
async function imported(file: string, options: ImportOptions): Promise<Backbone> {
  const { importBackbone } = await import('../../trainer/backbone/import.ts');
  try {
    return await importBackbone(file, options);
  } catch (error) {
    // What a flag asks for in vain is a matter of usage.
    const isUsage = ['USAGE', 'BACKBONE_CUT_UNKNOWN', 'ONNX_TENSOR_UNKNOWN'].includes(codeOf(error) ?? '');
    throw isUsage ? usage(messageOf(error)) : error;
  }
}
