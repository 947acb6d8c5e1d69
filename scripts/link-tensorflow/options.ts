import { parseArgs } from 'node:util';
import { AppError, messageOf } from '../../common/runtime/errors.ts';

export interface LinkOptions {
  /** Interpreter whose `tensorflow` is linked; else the usual ones are asked in turn. */
  python: string | undefined;
  /** Builds even where the binding is in place and works. */
  force: boolean;
  json: boolean;
  help: boolean;
}

export const HELP = `Usage: npm run link-tensorflow -- [options]

Builds the native part of @tensorflow/tfjs-node-gpu against the TensorFlow library of an installed Python \`tensorflow\` wheel,
and trains one step with it. Needed only to train with the tfjs-node-gpu engine, where that package's own download of
TensorFlow 2.9 (CUDA 11.2) is impossible or too old; the onnxruntime engine needs none of this.

  --python FILE   interpreter that has the wheel (default: the active virtual environment's, python3, python)
  --force         build again even where it is linked already
  --json          the last line of stdout is one JSON object

Needs Linux, a C++ compiler and make, and the headers of this Node (they come with it; node-gyp fetches them where not).
The wheel stays where it is: the binding refers to its files. Run it again after \`npm ci\`, or when the wheel moved.

Examples:
  python3 -m venv ~/tensorflow && ~/tensorflow/bin/pip install tensorflow==2.21.0       (about 2 GB; CPU)
  ~/tensorflow/bin/pip install 'tensorflow[and-cuda]==2.21.0'                            (with NVIDIA's libraries)
  npm run link-tensorflow -- --python ~/tensorflow/bin/python
`;

/** Throws `USAGE` with what is wrong. */
export function linkOptions(args: readonly string[]): LinkOptions {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        python: { type: 'string' },
        force: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return { ...values, python: values.python };
  } catch (error) {
    throw new AppError('USAGE', `${messageOf(error)}\n\n${HELP}`, { cause: error });
  }
}
