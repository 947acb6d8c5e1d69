import type { ModelManifest } from '../../common/domain/model.ts';
import { ELEMENT, buildOnnx } from '../../common/inference/onnx-format.ts';

import type { Network, Parameters } from '../engine/network.ts';
import { buildForward } from '../engine/onnxruntime/network-graph.ts';

/** Names of the tensors of our own trunks. */
export const TRUNK = { input: 'input', output: 'features' } as const;

/** The trunk of a network trained from scratch: it passes on what the resize graph made; each head is a whole network. */
export function buildIdentityTrunk({ width, height }: Pick<ModelManifest['input'], 'width' | 'height'>): Buffer {
  const shape = ['N', 3, height, width];
  return buildOnnx({
    name: 'trunk',
    inputs: [{ name: TRUNK.input, type: ELEMENT.float, shape }],
    outputs: [{ name: TRUNK.output, type: ELEMENT.float, shape }],
    constants: {},
    nodes: [{ op: 'Identity', inputs: [TRUNK.input], outputs: [TRUNK.output] }],
  });
}

/** A whole network from the trunk's output to probabilities, with its weights inside. */
export const buildHead = (network: Network, parameters: Parameters): Buffer =>
  buildForward(network, parameters, { softmax: true });
