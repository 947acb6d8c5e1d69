import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TensorRunner } from '../../common/inference/tensor-runner.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { initialParameters } from '../engine/initialise.ts';
import type { Layer, Network, Parameters } from '../engine/network.ts';
import { checkFiles, readManifest, unpackArrays } from './folder.ts';
import { headNetwork, inceptionTop } from './inception-v3.ts';
import type { Stage } from './inception-v3.ts';
import { buildInference } from './inference-graph.ts';
import type { BackboneIdentity, BackboneManifest } from './manifest.ts';
import { pick, shapesOf } from './parameters.ts';

/** A frozen trunk with what may be trained on it. */
export interface Backbone {
  /** Of everything that decides which features a picture gets. */
  digest: string;
  name: string;
  folder: string;
  manifest: BackboneManifest;
  trunkFile: string;
  resizeFile: string;
  /** What resize.onnx makes of a picture and the trunk takes. */
  input: BackboneIdentity['input'];
  /** Names of the trunk's tensors, for the manifest of the artifact. */
  trunk: BackboneIdentity['trunk'];
  /** Of one picture: [C, H, W], or [C] where the trunk pools. */
  featureDims: readonly number[];
  /** What stands between the cut and the pooling; trained in level 2. No stages: only a head can be trained. */
  top: { stages: readonly Stage[]; parameters: Parameters };
  warnings: readonly string[];
  /** One sentence for reports: which weights, cut, precision and batch normalisation. */
  describe(): string;
}

/**
 * Opens a backbone's folder and checks every byte of it.
 *
 * @throws AppError `BACKBONE_NOT_FOUND`, `BACKBONE_DAMAGED`
 */
export async function loadBackbone(folder: string): Promise<Backbone> {
  const { digest, manifest } = await readManifest(folder);
  await checkFiles(folder, manifest);
  const { identity } = manifest;
  const stages = identity.kind === 'inception-v3' ? inceptionTop(identity.cut) : [];
  const parameters = identity.files['top.f32']
    ? unpackArrays(await readFile(join(folder, 'top.f32')), manifest.top)
    : new Map();
  return {
    digest,
    name: manifest.name,
    folder,
    manifest,
    trunkFile: join(folder, 'trunk.onnx'),
    resizeFile: join(folder, 'resize.onnx'),
    input: identity.input,
    trunk: identity.trunk,
    featureDims: identity.featureDims,
    top: { stages, parameters },
    warnings: manifest.warnings,
    describe: () => describe(digest, manifest),
  };
}

function describe(digest: string, { name, source, identity, warnings }: BackboneManifest): string {
  const norm = identity.batchNorm === 'frozen' ? 'batch normalisation frozen' : 'batch normalisation as in the file';
  const parts = [
    `${name} ${digest.slice(0, 12)}: ${identity.kind === 'onnx' ? 'ONNX network' : 'InceptionV3'} from ${source}`,
    `SHA-256 ${identity.weights.sha256.slice(0, 12)}`,
    `cut behind ${identity.cut}`,
    identity.precision,
    norm,
    ...warnings,
  ];
  return parts.join('; ');
}

/** The trunk, ready to run: pictures as the backbone's `input` wants them, one after another → features. Close it. */
export function openTrunk(backbone: Backbone, { threads }: { threads: number }): Promise<TensorRunner> {
  const { width, height, layout } = backbone.input;
  return TensorRunner.load(backbone.trunkFile, {
    threads,
    ...backbone.trunk,
    inputDims: layout === 'nchw' ? [3, height, width] : [height, width, 3],
  });
}

/** Where features for level 1 may be taken: the cut and every stage behind it, e.g. mixed8, mixed9, mixed10. */
export function featureLayers({ manifest, top }: Backbone): string[] {
  return [manifest.identity.cut, ...top.stages.map(({ name }) => name)];
}

/**
 * The untrained way from the trunk's features to one pooled vector a picture: the stages up to `layer` with the imported
 * weights, then global average pooling.
 *
 * @param layer one of `featureLayers`
 * @returns an ONNX network `input` → `features` and the length of its vectors
 * @throws AppError `BACKBONE_LAYER_UNKNOWN`
 */
export function buildPooledFeatures(backbone: Backbone, layer: string): { onnx: Buffer; dims: [number] } {
  const layers = [...layersUpTo(backbone, layer)];
  const before = shapesOf(layers, backbone.featureDims);
  if (before.output.length === 3) layers.push({ kind: 'global-average-pool' });
  const onnx = buildInference({
    name: `${backbone.name}-${layer}`,
    input: backbone.featureDims,
    layers,
    parameters: pick(backbone.top.parameters, before.parameters),
  });
  return { onnx, dims: [before.output[0] as number] };
}

function layersUpTo(backbone: Backbone, layer: string): Layer[] {
  const at = featureLayers(backbone).indexOf(layer);
  if (at >= 0) return backbone.top.stages.slice(0, at).flatMap(({ layers }) => layers);
  throw new AppError(
    'BACKBONE_LAYER_UNKNOWN',
    `The backbone ${backbone.name} has no features at ${JSON.stringify(layer)}; it has ${featureLayers(backbone).join(', ')}.`,
  );
}

/** Level 1: a head on pooled vectors of `dims` numbers. */
export const levelOneNetwork = (backbone: Backbone, dims: readonly number[], classes: number): Network =>
  headNetwork(`${backbone.name}-level-1`, dims, [], classes);

/** Level 2: the stages behind the cut and the head, on the trunk's features. */
export const levelTwoNetwork = (backbone: Backbone, classes: number): Network =>
  headNetwork(`${backbone.name}-level-2`, backbone.featureDims, backbone.top.stages, classes);

/**
 * Parameters to start `network` from: the imported weights of the stages behind the cut, then those of `trained` (the head of
 * level 1), and the rest drawn by seed.
 */
export function startParameters(
  backbone: Backbone,
  network: Network,
  seed: string | number,
  trained: Parameters = new Map(),
): Parameters {
  const drawn = initialParameters(network, { seed });
  return new Map(
    [...drawn].map(([name, value]) => [name, trained.get(name) ?? backbone.top.parameters.get(name) ?? value]),
  );
}
