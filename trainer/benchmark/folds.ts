export { foldsOf } from '../dataset/folds.ts';
