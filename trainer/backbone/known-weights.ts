/** MD5 of Keras' own files, as `keras.applications` checks them: without the classifier, and with it. */
export const KERAS_MD5 = {
  notop: 'bcbd6486424b2319ff4ef7d526e38f63',
  top: '9a0d58056eeedaa3f26cb7ebd46da564',
} as const;

export interface KnownWeights {
  url: string;
  md5: string;
}

/** Weights that `backbone fetch` knows. */
export const KNOWN_WEIGHTS: Readonly<Record<string, KnownWeights>> = {
  'inception-v3': {
    url: 'https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5',
    md5: KERAS_MD5.notop,
  },
};
