import { OrtEngine } from '../../../../trainer/engine/onnxruntime/engine.ts';
import { engineConformance } from '../../../support/engine-conformance.ts';

engineConformance('onnxruntime', () => new OrtEngine());
