import { describe, expect, test } from 'vitest';
import type { ModelManifest } from '../../../common/domain/model.ts';
import { signManifest } from '../../../common/inference/artifact.ts';
import { importNetwork } from '../../../common/inference/import-network.ts';
import { createKeyPair, verifyBytes } from '../../../common/storage/signature.ts';
import { COLOURS, colourNetwork } from '../../support/networks.ts';
import { useTrainingBench } from './training-bench.ts';

const bench = useTrainingBench();
const call: typeof bench.call = (...args) => bench.call(...args);

/** A whole artifact with the key of a trainer; `change` and `damage` spoil it. */
async function artifact({
  change,
  damage,
}: {
  change?: (manifest: ModelManifest) => void;
  damage?: (name: string, bytes: Buffer) => Buffer;
} = {}) {
  const key = createKeyPair();
  const { manifest, files } = await importNetwork({ name: 'colours', onnx: colourNetwork(), labels: COLOURS });
  change?.(manifest);
  const signed = signManifest(manifest, key.privateKey);
  const uploads: Record<string, string> = {};
  for (const [name, bytes] of files) {
    const { body } = await call<{ upload: string }>('POST', '/uploads', damage?.(name, bytes) ?? bytes);
    uploads[name] = body.upload;
  }
  return {
    version: signed.version,
    body: {
      manifest: signed.bytes.toString('base64'),
      signature: signed.signature,
      publicKey: key.publicKey,
      files: uploads,
    },
  };
}

async function publishColours(): Promise<string> {
  const { body, version } = await artifact();
  const answer = await call<{ version: string }>('POST', '/models/artifacts', body);
  expect(answer).toMatchObject({ status: 201, body: { version } });
  return version;
}

describe('a published artifact', () => {
  test('keeps its version and carries the fleet’s signature', async () => {
    const version = await publishColours();
    const { bytes, signature } = await bench.models.manifest(version);
    expect(verifyBytes(bench.fleetKey.publicKey, bytes, signature)).toBe(true);
    const readable = await fetch(`${bench.http.url}/api/v1/models/${version}/files/trunk.onnx`, {
      headers: { authorization: `Bearer ${bench.tokens.researcher}` },
    });
    expect(Buffer.from(await readable.arrayBuffer()).equals(colourNetwork())).toBe(true);
  });

  test('needs the right to publish', async () => {
    const { body } = await artifact();
    expect((await call('POST', '/models/artifacts', body, 'researcher')).status).toBe(403);
  });

  test.each([
    [
      'tampered',
      'MODEL_TAMPERED',
      {
        damage: (name: string, bytes: Buffer) => (name === 'trunk.onnx' ? Buffer.concat([bytes, Buffer.of(0)]) : bytes),
      },
    ],
    [
      'not what its golden frames say',
      'MODEL_SELF_TEST_FAILED',
      { change: ({ golden }: ModelManifest) => golden[0]?.m0.reverse() },
    ],
  ])('that is %s is refused', async (_, code, spoilt) => {
    const { body, version } = await artifact(spoilt);
    expect(await call('POST', '/models/artifacts', body)).toMatchObject({ status: 400, body: { code } });
    await expect(bench.models.show(version)).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
  });

  test('that another key signed, whose manifest is none, or which lacks a file is refused', async () => {
    const { body } = await artifact();
    const foreign = await call('POST', '/models/artifacts', { ...body, publicKey: createKeyPair().publicKey });
    expect(foreign).toMatchObject({ status: 400, body: { code: 'MODEL_UNSIGNED' } });
    const changed = await call('POST', '/models/artifacts', {
      ...body,
      manifest: Buffer.from('{}').toString('base64'),
    });
    expect(changed).toMatchObject({ status: 400, body: { code: 'MODEL_UNSIGNED' } });
    const partial = await call('POST', '/models/artifacts', { ...body, files: {} });
    expect(partial).toMatchObject({ status: 400, body: { code: 'MODEL_INVALID' } });
  });
});
