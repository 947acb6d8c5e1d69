import util from 'node:util';
import { expect, test } from 'vitest';
import { TfjsEngine } from '../../../../trainer/engine/tfjs/tfjs-engine.ts';

/** What of a package is asked before it trains. */
function tensorflowJs(backend: string, { gpu = false } = {}) {
  return {
    version: { 'tfjs-node': '4.22.0' },
    ready: () => Promise.resolve(),
    getBackend: () => backend,
    backend: () => ({
      binding: backend === 'tensorflow' ? { TF_Version: '2.21.0' } : undefined,
      isUsingGpuDevice: gpu,
    }),
  };
}

function notFound(name: string): never {
  throw Object.assign(new Error(`Cannot find module '${name}'\nRequire stack:\n- here`), { code: 'MODULE_NOT_FOUND' });
}

test('where no package is installed the error names both ways out', async () => {
  await expect(TfjsEngine.load({ require: notFound })).rejects.toMatchObject({
    code: 'TFJS_UNAVAILABLE',
    message: expect.stringMatching(
      /^The tfjs-node-gpu engine needs [^\n]*Cannot find module[^\n]*npm run link-tensorflow[^\n]*onnxruntime engine\.$/,
    ) as string,
  });
});

test('why an installed package does not start matters more than that the other is absent', async () => {
  const broken = new Error('libtensorflow_cc.so.2: cannot open shared object file\nmore');
  const load = TfjsEngine.load({
    require: (name) => {
      if (name === '@tensorflow/tfjs-node') throw broken;
      return notFound(name);
    },
  });
  await expect(load).rejects.toMatchObject({
    cause: broken,
    message: expect.stringContaining('cannot open shared object file Install') as string,
  });
});

test('the package for CPUs does where the one for GPUs is absent', async () => {
  const require = (name: string) => (name.endsWith('-gpu') ? notFound(name) : tensorflowJs('tensorflow'));
  const engine = await TfjsEngine.load({ require });
  expect(engine.describe()).toBe('@tensorflow/tfjs-node 4.22.0, TensorFlow 2.21.0, CPU (no GPU found)');
});

test('a GPU is named', async () => {
  const engine = await TfjsEngine.load({ require: () => tensorflowJs('tensorflow', { gpu: true }) });
  expect(engine.describe()).toBe('@tensorflow/tfjs-node-gpu 4.22.0, TensorFlow 2.21.0, GPU');
});

test('a backend in plain JavaScript is no native one', async () => {
  const load = TfjsEngine.load({ require: () => tensorflowJs('cpu') });
  await expect(load).rejects.toThrow('started the backend "cpu" in place of "tensorflow"');
});

test('what newer Nodes took out of util and the package calls is there before it loads', async () => {
  const old = util as unknown as Record<string, unknown>;
  const kept = { isNullOrUndefined: old['isNullOrUndefined'], isArray: old['isArray'] };
  Object.assign(old, { isNullOrUndefined: undefined, isArray: undefined });
  const seen: unknown[] = [];
  const require = () => {
    const { isNullOrUndefined, isArray } = old as Record<string, (value: unknown) => unknown>;
    seen.push(isNullOrUndefined?.(null), isNullOrUndefined?.(0), isArray?.([]));
    return tensorflowJs('tensorflow');
  };
  await TfjsEngine.load({ require }).finally(() => Object.assign(old, kept));
  expect(seen).toEqual([true, false, true]);
});
