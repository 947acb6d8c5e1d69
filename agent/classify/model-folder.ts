import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelFile, ModelManifest } from '../../common/domain/model.ts';
import { filesOf, openManifest, readArtifact, writeArtifact } from '../../common/inference/artifact.ts';
import { AppError, codeOf } from '../../common/runtime/errors.ts';
import { listFolder } from '../../common/storage/object-store.ts';

/** Where models come from; the link's HTTP client. */
export interface ModelDownloads {
  manifest(version: string): Promise<{ bytes: Buffer; signature: string }>;
  file(version: string, name: ModelFile): Promise<Buffer>;
}

// The model in force, the one before it (to roll back without a download) and one spare.
const KEEP = 3;

/** The agent's models on disk, `root/<version>/…`. What is there by digest is not fetched again. */
export class ModelFolder {
  readonly #root: string;
  readonly #downloads: ModelDownloads;
  readonly publicKey: string;

  constructor(options: { root: string; downloads: ModelDownloads; publicKey: string }) {
    this.#root = options.root;
    this.#downloads = options.downloads;
    this.publicKey = options.publicKey;
  }

  /** Every byte verified. @throws AppError MODEL_UNSIGNED, MODEL_TAMPERED, MODEL_INVALID, or why it could not be fetched */
  async fetch(version: string): Promise<{ folder: string; manifest: ModelManifest }> {
    const folder = join(this.#root, version);
    try {
      return { folder, manifest: (await readArtifact(folder, this.publicKey)).manifest };
    } catch (error) {
      if (!['MODEL_INCOMPLETE', 'MODEL_TAMPERED', 'MODEL_UNSIGNED'].includes(codeOf(error) ?? '')) throw error;
    }
    const { bytes, signature } = await this.#downloads.manifest(version);
    const signed = openManifest(bytes, signature, this.publicKey);
    if (signed.version !== version) {
      throw new AppError('MODEL_TAMPERED', `Asked for model ${version}, got ${signed.version}.`);
    }
    const held = await this.#held();
    await writeArtifact(folder, signed, async (name, digest) => {
      const path = held.get(digest);
      return path ? readFile(path) : this.#downloads.file(version, name);
    });
    await this.#prune(version);
    return { folder, manifest: signed.manifest };
  }

  /** Digest → path of every file of every model on disk; `writeArtifact` checks the bytes once more. */
  async #held(): Promise<Map<string, string>> {
    const held = new Map<string, string>();
    for (const version of await listFolder(this.#root)) {
      const folder = join(this.#root, version);
      const signed = await readArtifact(folder, this.publicKey).catch(() => undefined);
      if (signed) for (const file of filesOf(signed.manifest)) held.set(file.digest, join(folder, file.name));
    }
    return held;
  }

  async #prune(newest: string): Promise<void> {
    const entries = await readdir(this.#root, { withFileTypes: true });
    const others = entries.filter((entry) => entry.isDirectory() && entry.name !== newest).map((entry) => entry.name);
    for (const old of others.slice(0, Math.max(0, others.length - (KEEP - 1)))) {
      await rm(join(this.#root, old), { recursive: true, force: true });
    }
  }
}
