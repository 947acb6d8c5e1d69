import { readArtifact } from '../../common/inference/artifact.ts';
import { decodeRgb } from '../../common/inference/decode.ts';
import { ModelRunner, selfTest } from '../../common/inference/model-runner.ts';
import { codeOf, messageOf } from '../../common/runtime/errors.ts';
import type { FromChild, ToChild } from './child-protocol.ts';

// One model a process: a new version gets a fresh process, and the memory of the old one goes with it.
let runner: ModelRunner | undefined;

const send = (message: FromChild): void => void process.send?.(message);

async function load(message: Extract<ToChild, { type: 'load' }>): Promise<void> {
  const { manifest, version } = await readArtifact(message.folder, message.publicKey);
  const loaded = await ModelRunner.load(message.folder, manifest, { threads: message.threads });
  const { msPerPicture } = await selfTest(loaded);
  runner = loaded;
  send({ type: 'loaded', id: message.id, version, msPerPicture });
}

async function classify(message: Extract<ToChild, { type: 'classify' }>): Promise<void> {
  if (!runner) throw new Error('classify before load');
  const images = await Promise.all(
    message.pictures.map((bytes) =>
      decodeRgb(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)).catch(() => null),
    ),
  );
  const scores = await runner.classifyImages(images.filter((image) => image !== null));
  send({ type: 'scores', id: message.id, heads: images.map((image) => (image ? (scores.shift() ?? null) : null)) });
}

let queue: Promise<void> = Promise.resolve();
process.on('message', (message: ToChild) => {
  queue = queue
    .then(() => (message.type === 'load' ? load(message) : classify(message)))
    .catch((error: unknown) => {
      send({ type: 'failed', id: message.id, code: codeOf(error) ?? 'CLASSIFIER_FAILED', message: messageOf(error) });
    });
});
// The parent is gone: nobody will ever ask again.
process.on('disconnect', () => process.exit(0));
