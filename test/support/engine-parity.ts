import { readFileSync } from 'node:fs';
import type { Batch } from '../../trainer/engine/engine.ts';
import type { Network, Parameters, TensorValue } from '../../trainer/engine/network.ts';

interface Packed {
  dims: number[];
  data: string;
}

/** What PyTorch's autograd gives for a small network; made by test/fixtures/engine-parity.py. */
export interface ParityCase {
  network: Network;
  parameters: Parameters;
  batch: Batch;
  expected: { logits: Float32Array; loss: number; gradientNorm: number; gradients: Parameters };
  curve: { firstRate: number; momentum: number; clipNorm: number; losses: number[] };
}

export function parityCases(): ParityCase[] {
  const file = new URL('../fixtures/engine-parity.json', import.meta.url);
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: StoredCase[] };
  return cases.map(({ network, parameters, batch, expected, curve }) => ({
    network,
    parameters: unpackedAll(parameters),
    batch: {
      inputs: unpacked(batch.inputs).data,
      labels: Int32Array.from(batch.labels),
      weights: unpacked(batch.weights).data,
      logPriors: unpacked(batch.logPriors).data,
    },
    expected: {
      ...expected,
      logits: unpacked(expected.logits).data,
      gradients: unpackedAll(expected.gradients),
    },
    curve,
  }));
}

interface StoredCase {
  network: Network;
  parameters: Record<string, Packed>;
  batch: { inputs: Packed; labels: number[]; weights: Packed; logPriors: Packed };
  expected: { logits: Packed; loss: number; gradientNorm: number; gradients: Record<string, Packed> };
  curve: ParityCase['curve'];
}

function unpackedAll(values: Record<string, Packed>): Parameters {
  return new Map(Object.entries(values).map(([name, value]) => [name, unpacked(value)]));
}

function unpacked({ dims, data }: Packed): TensorValue {
  const bytes = Buffer.from(data, 'base64');
  return { dims, data: Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4)) };
}
