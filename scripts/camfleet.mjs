#!/usr/bin/env node
// The command-line tool. In a clone that was never built it sets itself up first.
import { existsSync } from 'node:fs';
import { build } from './set-up/build.mjs';
import { checkNode, installPackages } from './set-up/install.mjs';
import { fileURLToPath } from 'node:url';

const program = new URL('../dist/scripts/camfleet/main.js', import.meta.url);

if (!existsSync(program)) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  try {
    checkNode();
    await installPackages(root);
    await build(root);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(error.exitCode ?? 1);
  }
}
await import(program.href);
