#!/usr/bin/env node
// The command-line tool. A clone sets itself up, and compiles what changed since the last time: after `git pull` it is the new
// tool that runs. Takes milliseconds when nothing did.
import { existsSync } from 'node:fs';
import { build } from './set-up/build.mjs';
import { checkNode, installPackages } from './set-up/install.mjs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

if (existsSync(new URL('../tsconfig.build.json', import.meta.url))) {
  try {
    checkNode();
    await installPackages(root);
    await build(root);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(error.exitCode ?? 1);
  }
}
await import(new URL('../dist/scripts/camfleet/main.js', import.meta.url).href);
