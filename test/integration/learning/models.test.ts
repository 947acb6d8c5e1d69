import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Classifier } from '../../../agent/classify/classifier.ts';
import type { ClassifierOptions } from '../../../agent/classify/classifier.ts';
import { ModelFolder } from '../../../agent/classify/model-folder.ts';
import type { ModelDownloads } from '../../../agent/classify/model-folder.ts';
import { signManifest } from '../../../common/inference/artifact.ts';
import { importNetwork } from '../../../common/inference/import-network.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { FolderStore } from '../../../common/storage/object-store.ts';
import { createKeyPair, signBytes } from '../../../common/storage/signature.ts';
import { Models } from '../../../coordinator/learning/models/models.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { COLOURS, colourNetwork, plainJpeg } from '../../support/networks.ts';

const SHARED = resolve(process.env['CAMFLEET_SHARED'] ?? '../shared');
const mobileNet = join(SHARED, 'weights/mobilenetv2_imagenet.onnx');

let folder: string;
let db: TestDatabase;
let models: Models;
const promoted: (string | null)[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'camfleet-models-'));
  db = await createTestDatabase();
  models = new Models({
    database: db.database,
    store: new FolderStore(join(folder, 'store')),
    key: createKeyPair(),
    logger: silentLogger,
    onPromoted: (version) => promoted.push(version),
  });
});
afterAll(async () => {
  await db.drop();
  await rm(folder, { recursive: true, force: true });
});

const direct = (): ModelDownloads => ({
  manifest: (version) => models.manifest(version),
  file: (version, name) => models.file(version, name),
});

function createClassifier(name: string, downloads = direct(), more: Partial<ClassifierOptions> = {}) {
  const reports: Parameters<ClassifierOptions['onReport']>[0][] = [];
  const root = join(folder, name);
  const classifier = new Classifier({
    models: new ModelFolder({ root, downloads, publicKey: models.publicKey }),
    batchMax: 8,
    batchWaitMs: 5,
    threads: 1,
    logger: silentLogger,
    onReport: (report) => reports.push(report),
    ...more,
  });
  return { classifier, reports, root };
}

test('an imported network is registered, promoted, fetched, proved and classifies', async () => {
  const model = await models.import({ name: 'colours', onnx: colourNetwork(), labels: COLOURS });
  await models.promote(model.version.slice(0, 10));
  expect(await models.current()).toBe(model.version);
  expect(promoted).toContain(model.version);

  const { classifier, reports } = createClassifier('first');
  expect(await classifier.classify(await plainJpeg(250, 5, 5))).toBeNull();
  await classifier.switchTo(model.version);
  const [red, blue] = await Promise.all([
    classifier.classify(await plainJpeg(250, 5, 5)),
    classifier.classify(await plainJpeg(5, 5, 250)),
  ]);
  expect(red?.scores.fused[0]?.label).toBe('red');
  expect(blue?.scores.fused[0]?.label).toBe('blue');
  expect(red?.modelVersion).toBe(model.version);
  expect(reports.map(({ state }) => state)).toEqual(['fetched', 'proved', 'active']);
  await classifier.stop();
});

test('a switch under load drops no picture, and every decision names the version that made it', async () => {
  const one = await models.import({ name: 'one', onnx: colourNetwork(10), labels: COLOURS });
  const two = await models.import({ name: 'two', onnx: colourNetwork(12), labels: COLOURS });
  const { classifier } = createClassifier('switch');
  await classifier.switchTo(one.version);
  const picture = await plainJpeg(5, 250, 5);
  const switching = classifier.switchTo(two.version);
  const seen = new Set<string>();
  let done = false;
  void switching.then(() => (done = true));
  while (!done) seen.add((await classifier.classify(picture))?.modelVersion ?? 'dropped');
  seen.add((await classifier.classify(picture))?.modelVersion ?? 'dropped');
  expect([...seen].sort()).toEqual([one.version, two.version].sort());
  await classifier.stop();
});

test.each([
  [
    'tampered',
    'MODEL_TAMPERED',
    (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([bytes.at(-1)! ^ 1])]),
  ],
  ['truncated', 'MODEL_TAMPERED', (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1)],
])('a %s artifact is refused and the old model keeps running', async (name, code, damage) => {
  const good = await models.import({ name: 'good', onnx: colourNetwork(10), labels: COLOURS });
  const next = await models.import({ name: 'next', onnx: colourNetwork(11), labels: COLOURS });
  const { classifier, reports } = createClassifier(name, {
    ...direct(),
    file: async (version, file) => {
      const bytes = await models.file(version, file);
      return version === next.version && file === 'trunk.onnx' ? damage(bytes) : bytes;
    },
  });
  await classifier.switchTo(good.version);
  await classifier.switchTo(next.version);
  expect(reports.at(-1)).toMatchObject({ version: next.version, state: 'refused' });
  expect(reports.at(-1)?.reason).toContain(code);
  expect((await classifier.classify(await plainJpeg(250, 5, 5)))?.modelVersion).toBe(good.version);
  await classifier.stop();
});

test('an artifact that nobody or another key signed is refused and the old model keeps running', async () => {
  const good = await models.import({ name: 'good', onnx: colourNetwork(10), labels: COLOURS });
  const foreign = await models.import({ name: 'foreign', onnx: colourNetwork(13), labels: COLOURS });
  const signed = (sign: (bytes: Buffer) => string): ModelDownloads => ({
    ...direct(),
    manifest: async (version) => {
      const { bytes, signature } = await models.manifest(version);
      return { bytes, signature: version === foreign.version ? sign(bytes) : signature };
    },
  });
  const unsigned = { root: join(folder, 'unsigned'), downloads: signed(() => ''), publicKey: models.publicKey };
  await expect(new ModelFolder(unsigned).fetch(foreign.version)).rejects.toMatchObject({ code: 'MODEL_UNSIGNED' });

  const { classifier, reports } = createClassifier(
    'foreign',
    signed((bytes) => signBytes(createKeyPair().privateKey, bytes)),
  );
  await classifier.switchTo(good.version);
  await classifier.switchTo(foreign.version);
  expect(reports.at(-1)).toMatchObject({ version: foreign.version, state: 'refused' });
  expect(reports.at(-1)?.reason).toContain('MODEL_UNSIGNED');
  expect((await classifier.classify(await plainJpeg(250, 5, 5)))?.modelVersion).toBe(good.version);
  await classifier.stop();
});

test('a model that does not say of its golden frames what its manifest says is refused where it is to run', async () => {
  const key = createKeyPair();
  const { manifest, files } = await importNetwork({ name: 'liar', onnx: colourNetwork(), labels: COLOURS });
  manifest.golden[0]?.m0.reverse();
  const { version, bytes, signature } = signManifest(manifest, key.privateKey);
  const reports: string[] = [];
  const downloads: ModelDownloads = {
    manifest: async () => ({ bytes, signature }),
    file: async (_, name) => files.get(name) as Buffer,
  };
  const classifier = new Classifier({
    models: new ModelFolder({ root: join(folder, 'liar'), downloads, publicKey: key.publicKey }),
    ...{ batchMax: 8, batchWaitMs: 5, threads: 1, logger: silentLogger },
    onReport: ({ state, reason = '' }) => reports.push(`${state} ${reason}`),
  });
  await classifier.switchTo(version);
  expect(reports).toEqual(['fetched ', expect.stringMatching(/^refused MODEL_SELF_TEST_FAILED/)]);
  expect(classifier.modelVersion).toBeNull();
  await classifier.stop();
});

test('a process that has served enough is replaced by another one, and no picture goes without its label', async () => {
  const model = await models.import({ name: 'recycled', onnx: colourNetwork(), labels: COLOURS });
  const { classifier, reports } = createClassifier('recycled', direct(), { recycleAfter: 20 });
  await classifier.switchTo(model.version);
  const picture = await plainJpeg(5, 250, 5);
  const labels: (string | undefined)[] = [];
  const classify = async () => labels.push((await classifier.classify(picture))?.scores.fused[0]?.label);
  // Several at a time, and further ones while processes change.
  const callers = Array.from({ length: 6 }, async () => {
    for (let n = 0; n < 10; n++) await classify();
  });
  await Promise.all(callers);
  expect(labels).toEqual(Array.from({ length: 60 }, () => 'green'));
  expect(reports.filter(({ state }) => state === 'proved').length, 'processes').toBeGreaterThanOrEqual(3);
  expect(classifier.modelVersion).toBe(model.version);
  await classifier.stop();
});

test('a picture that comes when the process of the model has died is classified in a new one', async () => {
  const model = await models.import({ name: 'dying', onnx: colourNetwork(), labels: COLOURS });
  const { classifier } = createClassifier('dying');
  await classifier.switchTo(model.version);
  const children = async (): Promise<number[]> =>
    (await readFile(`/proc/self/task/${process.pid}/children`, 'utf8')).trim().split(' ').filter(Boolean).map(Number);
  const before = await children();
  const killed = await Promise.all(
    before.map(async (pid) => ((await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes('classify/child') ? pid : 0)),
  );
  const [pid] = killed.filter(Boolean);
  process.kill(pid ?? 0, 'SIGKILL');
  const decision = await classifier.classify(await plainJpeg(5, 5, 250));
  expect(decision).toMatchObject({ modelVersion: model.version, scores: { fused: [{ label: 'blue' }, {}, {}] } });
  expect(await children()).not.toContain(pid);
  await classifier.stop();
});

test('an artifact damaged on the disk of the agent is fetched again', async () => {
  const model = await models.import({ name: 'disk', onnx: colourNetwork(9), labels: COLOURS });
  const before = createClassifier('disk');
  await before.classifier.switchTo(model.version);
  await before.classifier.stop();
  await truncate(join(before.root, model.version, 'trunk.onnx'), 10);
  const { classifier } = createClassifier('disk');
  await classifier.switchTo(model.version);
  expect(classifier.modelVersion).toBe(model.version);
  await classifier.stop();
});

test('labels that do not fit and files that are no network are refused with what was expected', async () => {
  await expect(models.import({ name: 'x', onnx: colourNetwork(), labels: ['a', 'b'] })).rejects.toMatchObject({
    code: 'MODEL_LABELS_MISMATCH',
  });
  await expect(models.import({ name: 'x', onnx: Buffer.from('no network'), labels: COLOURS })).rejects.toMatchObject({
    code: 'MODEL_INVALID',
  });
});

test.skipIf(!existsSync(mobileNet))('MobileNetV2 calls a macaw a macaw (needs ../shared)', async () => {
  const labels = (await readFile(join(SHARED, 'weights/mobilenetv2_imagenet.labels.txt'), 'utf8')).trim().split('\n');
  const model = await models.import({ name: 'mobilenet', onnx: await readFile(mobileNet), labels });
  const { classifier } = createClassifier('mobilenet');
  await classifier.switchTo(model.version);
  const parrot = await classifier.classify(await readFile(join(SHARED, 'photos/parrot.jpg')));
  expect(parrot?.scores.fused[0]?.label).toBe('macaw');
  await classifier.stop();
});
