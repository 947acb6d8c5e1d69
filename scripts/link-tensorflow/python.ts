import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../common/runtime/errors.ts';
import { run } from './run.ts';

export interface Wheel {
  /** Interpreter that has it. */
  python: string;
  /** The `tensorflow` folder in its site-packages. */
  folder: string;
  version: string;
}

/** The C API is in here, beside the C++ one. */
export const LIBRARY = 'libtensorflow_cc.so.2';
export const FRAMEWORK = 'libtensorflow_framework.so.2';

/** Finds the package without importing it: an import takes seconds and may fail for reasons that do not matter here. */
const ASK = `
import importlib.util, json, os, re
spec = importlib.util.find_spec("tensorflow")
folder = os.path.dirname(os.path.realpath(spec.origin)) if spec and spec.origin else None
version = None
if folder:
    from importlib import metadata
    for distribution in metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower()
        if re.fullmatch(r"(tf[-_]nightly|tensorflow)([-_](cpu|gpu|intel|rocm|cpu[-_]aws))?", name):
            version = distribution.version
print(json.dumps({"folder": folder, "version": version}))
`;

const INSTALL =
  'Install it in a virtual environment, `python3 -m venv ~/tensorflow && ~/tensorflow/bin/pip install tensorflow==2.21.0`, ' +
  'and give --python ~/tensorflow/bin/python.';

/**
 * The TensorFlow wheel of the given interpreter, else of the first usual one that has it.
 * Throws `NO_PYTHON`, `NO_TENSORFLOW`, or `TENSORFLOW_UNSUITABLE` where the wheel lacks the library or its headers.
 */
export async function findWheel(python: string | undefined): Promise<Wheel> {
  const candidates = python === undefined ? usualInterpreters() : [python];
  const working: string[] = [];
  for (const candidate of candidates) {
    const outcome = await run(candidate, ['-c', ASK]);
    if (outcome.code !== 0) continue;
    working.push(candidate);
    const { folder, version } = JSON.parse(outcome.stdout) as { folder: string | null; version: string | null };
    if (folder !== null) return checked({ python: candidate, folder, version: version ?? 'unknown' });
  }
  const asked = candidates.join(', ');
  if (working.length === 0) throw new AppError('NO_PYTHON', `No Python 3 answers as ${asked}. ${INSTALL}`);
  throw new AppError('NO_TENSORFLOW', `The package tensorflow is not installed for ${working.join(', ')}. ${INSTALL}`);
}

function usualInterpreters(): string[] {
  const active = process.env['VIRTUAL_ENV'];
  return [...(active ? [join(active, 'bin/python')] : []), 'python3', 'python'];
}

function checked(wheel: Wheel): Wheel {
  const needed = [LIBRARY, FRAMEWORK, 'include/tensorflow/c/c_api.h', 'include/tensorflow/c/eager/c_api.h'];
  const missing = needed.filter((file) => !existsSync(join(wheel.folder, file)));
  if (missing.length === 0) return wheel;
  throw new AppError(
    'TENSORFLOW_UNSUITABLE',
    `TensorFlow ${wheel.version} in ${wheel.folder} lacks ${missing.join(', ')}; a wheel of Linux is needed, ` +
      'and 2.21.0 is known to work.',
  );
}
