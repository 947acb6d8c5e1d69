/**
 * A network as plain data: every engine builds its forward and backward pass from it, and the export builds the head of the
 * artifact from it. Tensors are NCHW, float32. Names are the names of Keras where the network is one of Keras'.
 */
export type Layer =
  | ConvLayer
  | FrozenNormLayer
  | { kind: 'relu' }
  | PoolLayer
  /** [N, C, H, W] → [N, C] */
  | { kind: 'global-average-pool' }
  /** Parameters `name/kernel` [in, out] and `name/bias` [out]. */
  | { kind: 'dense'; name: string; units: number }
  /** The same input through every branch, joined along the channels. */
  | { kind: 'concat'; branches: Layer[][] };

/** Parameters `name/kernel` [out, in, height, width] and, with `bias`, `name/bias` [out]. */
export interface ConvLayer {
  kind: 'conv';
  name: string;
  filters: number;
  kernel: readonly [height: number, width: number];
  stride: number;
  /** As in TensorFlow; 'same' is used with odd kernels and stride 1 only, so it is symmetric. */
  padding: 'same' | 'valid';
  bias: boolean;
}

/**
 * Batch normalisation in inference mode, without scale: (x − mean) / √(variance + epsilon) + beta. `name/beta` [C] trains;
 * `name/mean` and `name/variance` are constants.
 */
export interface FrozenNormLayer {
  kind: 'frozen-norm';
  name: string;
  epsilon: number;
}

/** Average pooling excludes padding, as TensorFlow does. */
export interface PoolLayer {
  kind: 'max-pool' | 'average-pool';
  size: number;
  stride: number;
  padding: 'same' | 'valid';
}

export interface Network {
  name: string;
  /** Of one image or feature map: [C, H, W], or [C] after global average pooling. */
  input: readonly number[];
  /** Ends in a dense layer of one logit a class; softmax belongs to the loss and to the export. */
  layers: readonly Layer[];
  classes: number;
}

/** A parameter or constant of a network. */
export interface TensorValue {
  dims: readonly number[];
  data: Float32Array;
}

/** By name, e.g. `conv1/kernel`. */
export type Parameters = ReadonlyMap<string, TensorValue>;
