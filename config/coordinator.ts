import { join } from 'node:path';
import { promoteRules } from '../common/protocol/training.ts';
import { addressRange, decimal, folder, integer, listOf, oneOf, optional, text, url, yesOrNo } from './kinds.ts';
import { invalid, loadConfig, setting } from './settings.ts';
import type { ConfigOf, LoadedConfig, Sources } from './settings.ts';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export const coordinatorSchema = {
  dataFolder: setting(folder, './data', 'Everything that this coordinator keeps: database, frames, models, keys.'),
  listen: {
    host: setting(
      text('an address or a host name', /^\S+$/),
      '127.0.0.1',
      'Address to listen on; only loopback for now.',
    ),
    port: setting(integer(0, 65_535), 8600, 'Port of API, page and agents; 0 takes a free one.'),
  },
  databaseUrl: setting(optional(url('postgres', 'postgresql')), null, 'PostgreSQL; nothing starts the embedded one.', {
    secret: true,
    env: 'DATABASE_URL',
  }),
  redisUrl: setting(optional(url('redis', 'rediss')), null, 'Redis; nothing starts redis-server from the PATH.', {
    secret: true,
    env: 'REDIS_URL',
  }),
  log: {
    level: setting(oneOf(...LOG_LEVELS), 'info', 'How much to log.'),
  },
  leases: {
    ttlSeconds: setting(
      integer(1, 3600),
      15,
      'An agent silent for this long may lose its shards: shorter moves cameras sooner, longer forgives slow networks.',
    ),
    renewSeconds: setting(
      integer(1, 1200),
      5,
      'How often agents renew. A third of the TTL: two renewals may be lost before a lease is.',
    ),
    offerSeconds: setting(
      integer(1, 600),
      3,
      'An offer that is not accepted lapses, and the shard goes to another agent.',
    ),
    autonomySeconds: setting(
      integer(0, 86_400),
      3600,
      'How long an agent that cannot reach the coordinator goes on capturing, because perhaps only the coordinator is down.',
    ),
  },
  reports: {
    intervalSeconds: setting(integer(1, 600), 5, 'How often agents report; a killed agent loses at most this much.'),
  },
  frames: {
    quotaBytes: setting(
      integer(1_000_000, Number.MAX_SAFE_INTEGER),
      10_000_000_000,
      'Room for kept frames; when it is full the oldest unremarkable ones go first.',
    ),
    sampleSeconds: setting(
      integer(0, 86_400),
      3_600,
      'A good frame of each camera is kept as a sample after so long, then after pauses that double, for datasets of several frames a camera; 0 keeps none.',
    ),
  },
  labels: {
    trustSceneHeader: setting(
      listOf(text('the name of a source', /\S/), 'names of sources'),
      [],
      'Sources of simulated cameras whose header X-Scene-Label labels their frames. Real cameras must not: whoever runs one would decide what is learnt.',
    ),
  },
  observations: {
    retentionDays: setting(integer(1, 36_500), 90, 'Days that observations are kept.'),
  },
  training: {
    everySeconds: setting(
      integer(0, 31_536_000),
      3_600,
      'How often to look whether enough new labels came in to train anew; 0: only when asked.',
    ),
    perCamera: setting(
      integer(1, 10_000),
      1,
      'Frames of one camera in a snapshot that is made for a run, at most; 1 is an image from every active camera.',
    ),
    minimumNew: setting(integer(1, 100_000_000), 200, 'Labels since the last run before the schedule trains again.'),
    minimumPerClass: setting(
      integer(1, 1_000_000),
      5,
      'Labelled frames that a class needs to count; the schedule waits until two classes have them.',
    ),
    budgetSeconds: setting(
      optional(integer(1, 604_800)),
      null,
      'Seconds that training both models may take; nothing leaves it to the trainer.',
    ),
    passes: setting(
      optional(integer(1, 100_000)),
      null,
      'Passes over the training images instead of a budget: the same steps on every machine.',
    ),
    backbone: setting(
      optional(text('a name or digest of a backbone', /^[\w.-]{1,100}$/)),
      null,
      'Trunk in the trainer’s data folder that scheduled runs train on (see camfleet backbone); nothing trains a small network from scratch.',
    ),
    preset: setting(
      optional(text('a name of a preset', /^[\w.-]{1,60}$/)),
      null,
      'Preset of scheduled runs, see camfleet train --help; nothing leaves it to the trainer.',
    ),
    promote: setting(
      oneOf(...promoteRules),
      'better',
      'When a trained model goes into force: better means not worse than the one in force on the same test images, and never in the place of an imported one.',
    ),
    margin: setting(
      decimal(0, 1),
      0.01,
      'By how much macro F1 of a better model may be lower: it has seen newer cameras, and small test parts are noisy.',
    ),
  },
  planner: {
    intervalSeconds: setting(
      integer(1, 600),
      2,
      'How often the plan is looked at: what bounds the delay of a changed camera.',
    ),
  },
  cameras: {
    allowFolders: setting(
      yesOrNo,
      false,
      'Takes folders of pictures on agents (file:///folder) as cameras; agents name the folders that they may read in files.roots.',
    ),
  },
  politeness: {
    concurrencyPerHost: setting(integer(1, 100), 2, 'Requests at a time to one host, over all agents.'),
    minDelayMs: setting(integer(0, 600_000), 250, 'Pause between two requests to one host.'),
  },
  notifications: {
    allow: setting(
      listOf(addressRange, 'address ranges like 10.0.0.0/8 or fd00::/8'),
      [],
      'Private and loopback ranges in which mail servers and webhooks may lie; all of them are refused otherwise.',
    ),
  },
  intake: {
    witness: setting(
      yesOrNo,
      false,
      'Records the id of every counted attempt, to be checked against a farm: for tests only.',
    ),
  },
};

export type CoordinatorConfig = ConfigOf<typeof coordinatorSchema>;

const LOOPBACK = /^(localhost|::1|127(\.\d{1,3}){3})$/;

/** `file` defaults to coordinator.json in the data folder, which need not exist. */
export function loadCoordinatorConfig(sources: Sources = {}): LoadedConfig<typeof coordinatorSchema> {
  const loaded = loadConfig(coordinatorSchema, 'CAMFLEET_', withDefaultFile(sources));
  const { listen, leases } = loaded.config;
  const problems: string[] = [];
  if (!LOOPBACK.test(listen.host)) {
    problems.push(
      `listen.host is ${JSON.stringify(listen.host)}, but only loopback is allowed for now (127.0.0.1, ::1 or localhost): ` +
        'this version has no TLS, so put a reverse proxy or an SSH tunnel in front of it',
    );
  }
  if (leases.renewSeconds * 2 >= leases.ttlSeconds) {
    problems.push(
      `leases.renewSeconds (${leases.renewSeconds}) must be less than half of leases.ttlSeconds (${leases.ttlSeconds}): ` +
        'otherwise one lost renewal loses a lease',
    );
  }
  if (problems.length > 0) throw invalid(problems);
  return loaded;
}

/** The data folder itself may come from a flag or the environment, but not from the file that lies in it. */
function withDefaultFile(sources: Sources): Sources {
  if (sources.file !== undefined) return { ...sources, fileIsRequired: true };
  const given = sources.flags?.['dataFolder'] ?? sources.environment?.['CAMFLEET_DATA_FOLDER'];
  const dataFolder = typeof given === 'string' ? given : coordinatorSchema.dataFolder.default;
  return { ...sources, file: join(dataFolder, 'coordinator.json'), fileIsRequired: false };
}
