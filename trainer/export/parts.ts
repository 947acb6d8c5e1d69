import { readFile } from 'node:fs/promises';
import type { ModelManifest } from '../../common/domain/model.ts';
import { buildResize } from '../../common/inference/graphs.ts';
import { ELEMENT, buildOnnx } from '../../common/inference/onnx-format.ts';
import { joinOnnx } from '../../common/inference/onnx-join.ts';
import { buildPooledFeatures, featureLayers } from '../backbone/backbone.ts';
import type { Backbone } from '../backbone/backbone.ts';
import { headNetwork } from '../backbone/inception-v3.ts';
import type { Network, Parameters } from '../engine/network.ts';
import { buildForward } from '../engine/onnxruntime/network-graph.ts';

/** Files of an artifact beside the two heads, and how a head is made. */
export interface ServingParts {
  input: ModelManifest['input'];
  trunk: ModelManifest['trunk'];
  resizeOnnx: Buffer;
  trunkOnnx: Buffer;
  buildHead(parameters: Parameters): Buffer;
}

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

/** A whole network from the trunk's output to probabilities, with its weights inside and its normalisations folded. */
export const buildHead = (network: Network, parameters: Parameters): Buffer =>
  buildForward(network, parameters, { softmax: true });

/** A network from scratch: fused costs twice one model. */
export function scratchParts(scaling: Omit<ModelManifest['input'], 'layout'>, network: Network): ServingParts {
  const input = { ...scaling, layout: 'nchw' } as const;
  return {
    input,
    trunk: TRUNK,
    resizeOnnx: buildResize(input),
    trunkOnnx: buildIdentityTrunk(input),
    buildHead: (parameters) => buildHead(network, parameters),
  };
}

/**
 * A model on a backbone. In level 2 the trunk ends at the cut and each head carries blocks of its own. In level 1 everything that
 * is frozen is one shared trunk and the heads are small; where nothing lies behind the cut, that trunk is the backbone's file byte
 * for byte, so agents that have it fetch the heads alone.
 */
export async function backboneParts(backbone: Backbone, level: number, network: Network): Promise<ServingParts> {
  const { input, trunk, top, featureDims } = backbone;
  const resizeOnnx = await readFile(backbone.resizeFile);
  const trunkOnnx = await readFile(backbone.trunkFile);
  const own = { input, trunk, resizeOnnx, trunkOnnx };
  if (level === 2) return { ...own, buildHead: (parameters) => buildHead(network, parameters) };
  if (top.stages.length === 0) {
    const head = headNetwork(network.name, featureDims, [], network.classes);
    return { ...own, buildHead: (parameters) => buildHead(head, parameters) };
  }
  const pooled = buildPooledFeatures(backbone, featureLayers(backbone).at(-1) as string);
  const joined = joinOnnx(trunkOnnx, pooled.onnx, { output: trunk.output });
  return {
    ...{ input, resizeOnnx, trunkOnnx: joined.onnx },
    trunk: { input: trunk.input, output: joined.output },
    buildHead: (parameters) => buildHead(network, parameters),
  };
}
