import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { AppError, EXIT } from '../../common/runtime/errors.ts';
import type { ConnectionOptions } from './api.ts';
import { sizeOf } from './camera-import.ts';
import { listing, progressBar, table } from './terminal.ts';
import { apiOf, decimal, print, printLines, speaksApi, verb } from './verb.ts';
import type { Context, Printing } from './verb.ts';

interface Model extends Record<string, unknown> {
  version: string;
  name: string;
}

type Common = ConnectionOptions & Printing;
interface ImportOptions extends Common {
  onnx: string;
  labels: string;
  name?: string;
  scale?: number;
  offset?: number;
  promote?: boolean;
}

export function addModelCommands(program: Command, context: Context): void {
  const models = program.command('models').description('Models: list, import, promote');
  addReads(models, context);
  addImport(models, context);
  const promote = verb(models, 'promote <version>', 'Put a model in force; agents prove it before they switch', [
    'models promote 3f9ac1d2',
  ]);
  speaksApi(promote).action(async (version: string, options: Common) => {
    const answer = await (await apiOf(options, context)).post<Model>(`/models/${encodeURIComponent(version)}/promote`);
    print(context, options, answer, () => `Model ${version} is in force; "camfleet agents list" shows who runs it.\n`);
  });
}

function addReads(models: Command, context: Context): void {
  const list = verb(models, 'list', 'All models and which one is in force', ['models list', 'models list --json']);
  speaksApi(list, { lists: true }).action(async (options: Common) => {
    const answer = await (await apiOf(options, context)).get<{ models: Model[] }>('/models');
    if (options.jsonl) return printLines(context, answer.models);
    print(context, options, answer, () =>
      table(
        ['VERSION', 'NAME', 'IN FORCE', 'LABELS', 'ORIGIN', 'CREATED'],
        answer.models.map((model) => [
          model.version.slice(0, 16),
          model.name,
          model['inForce'] === true ? 'yes' : '',
          model['labels'],
          model['origin'],
          model['createdAt'],
        ]),
      ),
    );
  });
  const show = verb(models, 'show <version>', 'One model with its manifest', ['models show 3f9ac1d2 --json']);
  speaksApi(show).action(async (version: string, options: Common) => {
    const model = await (await apiOf(options, context)).get<Model>(`/models/${encodeURIComponent(version)}`);
    print(context, options, model, () => listing(model));
  });
}

function addImport(models: Command, context: Context): void {
  const command = verb(models, 'import', 'Make a signed artifact of any ONNX image classifier', [
    'models import --onnx mobilenetv2.onnx --labels imagenet.txt',
    'models import --onnx scenes.onnx --labels scenes.json --name scenes --promote',
  ])
    .requiredOption('--onnx <file>', 'the network')
    .requiredOption('--labels <file>', 'its labels in order: one a line, or a JSON list')
    .option('--name <name>', 'what people call it (default: name of the file)')
    .option('--scale <x>', 'input = pixel × scale + offset; with --offset', decimal)
    .option('--offset <x>', 'see --scale', decimal)
    .option('--promote', 'put it in force at once');
  speaksApi(command).action(async (options: ImportOptions) => {
    if ((options.scale === undefined) !== (options.offset === undefined))
      throw usage('Give --scale and --offset together.');
    const labels = await readLabels(options.labels);
    const size = await sizeOf(options.onnx);
    const api = await apiOf(options, context);
    const bar = progressBar(context.terminal, 'Uploading', size);
    const { upload } = await api.upload<{ upload: string }>(
      '/uploads',
      counted(options.onnx, (done) => bar.at(done)),
    );
    bar.end();
    const model = await api.post<Model>('/models', {
      name: options.name ?? basename(options.onnx, extname(options.onnx)),
      onnxUpload: upload,
      labels,
      ...(options.scale !== undefined && { preprocessing: { scale: options.scale, offset: options.offset } }),
    });
    if (options.promote) await api.post(`/models/${model.version}/promote`);
    const next = options.promote
      ? 'It is in force.'
      : `Put it in force with: camfleet models promote ${model.version.slice(0, 16)}`;
    print(context, options, model, () => `Model ${model.version} (${model.name}) was imported. ${next}\n`);
  });
}

const counted = (file: string, onBytes: (done: number) => void): Readable =>
  Readable.from(
    (async function* () {
      let done = 0;
      for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
        yield chunk;
        onBytes((done += chunk.length));
      }
    })(),
    { objectMode: false },
  );

async function readLabels(file: string): Promise<string[]> {
  await sizeOf(file);
  const text = (await readFile(file, 'utf8')).replace(/^\ufeff/, '');
  if (!text.trimStart().startsWith('[')) {
    const lines = text.split(/\r?\n/).map((line) => line.trim());
    return lines.slice(0, lines.findLastIndex((line) => line !== '') + 1);
  }
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    list = undefined;
  }
  if (!Array.isArray(list) || !list.every((label) => typeof label === 'string'))
    throw usage(`${file} is no JSON list of texts.`);
  return list;
}

const usage = (message: string): AppError => new AppError('USAGE', message, { details: { exit: EXIT.usage } });
