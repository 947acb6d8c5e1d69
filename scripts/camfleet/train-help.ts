/** What `camfleet train --help` teaches before it lists options. */
export const TRAIN_HELP = `
What it does
  Two networks learn from the same labelled pictures, starting from the same weights.
  M0  sees every picture once a pass. Frequent classes rule: it is right most often, and blind to rare ones.
  M1  gets, in each iteration, samples by how badly a class does (Eq. 2). With F1_j on the reference part and
      N* = pictures / classes, class j gets  (1 - F1_j) / sum(1 - F1) * |C| * N*  pictures, rare ones repeated
      and warped anew each time. No class falls below a quarter of N*, no picture comes more than 30 times
      (the presets paper and authors-2019 have neither bound, and list the classes that were starved).
  Fusion (Eq. 3)  J0 and J1 are what both say, R_j = positives / negatives of class j in training. Both R above
      T_r: M0 decides. Both below: M1. Else the one with the larger score. T_r is searched on the reference part.
      --fusion paper: T_r = .3, and beside it the searched one with its test figures. search: best macro F1 on the reference part. modern: best out of fold, by models
      that did not see the pictures, among those that cost M0 at most .005 accuracy, else the mean of both.
  So the fused model keeps M0's accuracy on what is frequent and gains M1's eye for what is rare.

Stopping
  The presets small and modern, and so the fleet's runs, judge each iteration by macro F1 on the reference part, smoothed
  over 3: the best one is kept (of equal ones the newest), and after half of the passes a model stops when 8 brought
  nothing better. --keep final takes every step and the last weights, as the presets paper and authors-2019, the
  benchmark (all rows with equal steps) and --demo (within its seconds) do.

On a backbone
  --backbone takes a trunk that "camfleet backbone import" or "fetch" made. Level 1 trains a head (pooling, 1024
  units, classes) on the frozen trunk; level 2 trains the blocks behind its cut (mixed9 and mixed10 of
  InceptionV3) on with the head. Until the last level M1 samples all classes alike. Any other ONNX network has
  level 1 only. Agents run the trunk once a frame; after level 2 both heads carry blocks, which costs more.
  --views K keeps the activations of K warped views of each picture on disk: an approximation, and hours less.
  --loss and --sampler are M1's; M0 is always plain transfer learning.

Augmentation
  basic: rotation by 10 degrees, shifts by .2, shear by .2 radians and flips, as Keras drew them in the paper's time (up to
  2.1.2). keras-2.1.4: the same settings as later ones read them, .2 degrees, which is hardly any shear. none: pictures
  as they are. It belongs to the run, is kept in its checkpoint, and cached views of one are never taken for another's.

Data
  DIR is what "camfleet datasets pull NAME DIR" writes, a folder with one folder of pictures a class (and
  metadata.csv with file, camera, time), or any folder with --manifest FILE: {"class": {"train": [...],
  "reference": [...], "test": [...]}}. The test part is looked at once, at the end: believe its figures only.
  The same camera or the same file in two parts stops a run. So do pictures that look alike, but in a pulled snapshot, whose
  cameras have their parts for good: there two cameras with one view are only mentioned, in notes and report.

Result, below --out
  report.html and report.json, classes.csv, iterations.csv; artifact/, signed with this trainer's key, which a
  coordinator takes and agents load; checkpoint.bin, from which --resume goes on after Ctrl-C (on onnxruntime
  bit for bit).
  --resume takes everything from there; what else is given must be what the run was started with, or it is refused.
  Only --dataset, --features, --backbone (where those lie now) and --key may differ.

Examples
  $ camfleet train --demo
  $ camfleet train --demo --seeds 3      (with the median's bars: M0 on rare classes, gain, accuracy; met or missed)
  $ camfleet datasets pull summer pulled && camfleet train --dataset pulled --budget 900
  $ camfleet train --dataset photos --split random --passes 40 --json
  $ camfleet backbone fetch inception-v3 && camfleet train --dataset pulled --backbone inception-v3
  $ camfleet train --dataset pulled --backbone inception-v3 --preset paper --views 8
  $ camfleet train --resume data/training/pulled-20260820-101500

Exit codes: 0 done, 1 failed or stopped, 2 usage, 3 refused (the same camera or picture in two parts).
`;
