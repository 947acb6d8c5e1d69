import { imageFolder } from './loaders/image-folder.ts';
import type { DatasetLoader } from './loaders/loader.ts';
import { partsManifest } from './loaders/parts-manifest.ts';
import { snapshot } from './loaders/snapshot.ts';

/** The forms in which datasets come; the first that recognises a folder loads it. Add one here to teach the trainer another. */
export const datasetLoaders: readonly DatasetLoader[] = [partsManifest, snapshot, imageFolder];
