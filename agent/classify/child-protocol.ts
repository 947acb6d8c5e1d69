/** What the classifier and its child process say to each other (Node IPC, structured clone). */
export type ToChild =
  | { type: 'load'; id: number; folder: string; publicKey: string; threads: number }
  | { type: 'classify'; id: number; pictures: Uint8Array[] };

export type FromChild =
  | { type: 'loaded'; id: number; version: string; msPerPicture: number }
  /** One entry a picture, `null` for one that cannot be decoded. */
  | { type: 'scores'; id: number; heads: ({ m0: Float32Array; m1?: Float32Array } | null)[] }
  | { type: 'failed'; id: number; code: string; message: string };
