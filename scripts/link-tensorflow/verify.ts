// Trains one step in a process of its own, because a library that does not fit may end the process that loads it. Prints one
// JSON object.
import { TfjsEngine } from '../../trainer/engine/tfjs/tfjs-engine.ts';
import type { Network } from '../../trainer/engine/network.ts';

const network: Network = {
  name: 'probe',
  input: [1, 2, 2],
  layers: [
    { kind: 'conv', name: 'conv', filters: 1, kernel: [1, 1], stride: 1, padding: 'valid', bias: false },
    { kind: 'relu' },
    { kind: 'global-average-pool' },
    { kind: 'dense', name: 'dense', units: 2 },
  ],
  classes: 2,
};
const parameters = new Map([
  ['conv/kernel', { dims: [1, 1, 1, 1], data: Float32Array.of(1) }],
  ['dense/kernel', { dims: [1, 2], data: Float32Array.of(0, 0) }],
  ['dense/bias', { dims: [2], data: Float32Array.of(0, 0) }],
]);

const engine = await TfjsEngine.load();
const session = await engine.open(network, { parameters, threads: 1 });
const settings = { learningRate: 1, momentum: 0, clipNorm: Infinity };
const { loss } = await session.step({ inputs: Float32Array.of(1, 2, 3, 2), labels: Int32Array.of(0) }, settings);
const kernel = (await session.state()).parameters.get('dense/kernel');
await session.close();
// Equal logits: the loss is ln 2, and a mean of 2 moves each weight by half of that.
const isRight = Math.abs(loss - Math.LN2) < 1e-5 && Math.abs((kernel?.data[0] ?? 0) - 1) < 1e-5;
console.log(JSON.stringify({ engine: engine.describe(), isRight }));
