export interface ImportOptions {
  /** Folder of all backbones, see `backbonesOf`. */
  root: string;
  /** What people call it; default: `inception-v3`, or the name of the ONNX file. */
  name?: string | undefined;
  /** InceptionV3: the last block of the trunk; default `mixed8`. */
  cut?: string | undefined;
  /** ONNX: the tensor to cut at; default: the one before the classifier. */
  output?: string | undefined;
  /** ONNX: value · scale + offset; default from the file's metadata, else x / 127.5 − 1. */
  scaling?: { scale: number; offset: number } | undefined;
  now?: Date;
}
