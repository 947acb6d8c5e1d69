import { join } from 'node:path';
import { LOG_LEVELS } from './coordinator.ts';
import { addressRange, decimal, folder, integer, listOf, oneOf, optional, text, url, yesOrNo } from './kinds.ts';
import { loadConfig, setting } from './settings.ts';
import type { ConfigOf, LoadedConfig, Sources } from './settings.ts';

export const agentSchema = {
  dataFolder: setting(
    folder,
    './data/agent',
    "This agent's identity, outbox and models; one process at a time may use it.",
  ),
  coordinator: {
    url: setting(optional(url('http', 'https')), null, 'The coordinator; nothing means the one that the agent joined.'),
  },
  name: setting(
    optional(text('a name of letters, digits, dots and dashes, at most 60', /^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$/)),
    null,
    'What lists and the page call this agent; nothing means the host name.',
  ),
  log: {
    level: setting(oneOf(...LOG_LEVELS), 'info', 'How much to log.'),
  },
  capture: {
    workers: setting(integer(0, 1024), 0, 'Threads that fetch and clean; 0 takes all cores.'),
    attemptHeader: setting(
      yesOrNo,
      false,
      'Sends X-Camfleet-Attempt with every request, for a farm that keeps count: for tests only.',
    ),
  },
  egress: {
    allow: setting(
      listOf(addressRange, 'address ranges like 10.0.0.0/8 or fd00::/8'),
      [],
      'Private and loopback ranges in which cameras may lie; all of them are refused otherwise, whatever a URL or a redirect says.',
    ),
    userAgent: setting(
      text('text without line breaks', /^[\x20-\x7e]+$/),
      'camfleet/0.1 (public camera observation)',
      'How the agent introduces itself; `egress.contact` is put in.',
    ),
    contact: setting(
      optional(
        text(
          'a mail address or the URL of a page',
          /^(https?:\/\/[\x21-\x7e]+|[\x21-\x27\x2a-\x3f\x41-\x7e]+@[A-Za-z0-9.-]+)$/,
        ),
      ),
      null,
      'Where the people whose cameras are fetched can reach you; part of the User-Agent.',
    ),
  },
  files: {
    roots: setting(
      listOf(folder, 'paths of folders'),
      [],
      'Folders below which cameras with a file: address may lie; all others are refused, whatever a link says.',
    ),
  },
  http: {
    timeoutMs: setting(
      integer(100, 600_000),
      10_000,
      'From the request to the last byte; slower cameras count as timed out.',
    ),
    maxBytes: setting(
      integer(1_000, 1_000_000_000),
      8_000_000,
      'Largest body of one frame; a larger one is broken off.',
    ),
  },
  streams: {
    ffmpeg: setting(
      optional(text('the path of a program', /\S/)),
      null,
      'The ffmpeg that decodes streams; nothing means the one of ffmpeg-static or the PATH.',
    ),
  },
  pixels: {
    max: setting(
      integer(1_000, 1_000_000_000),
      40_000_000,
      'Largest picture that is decoded: a small file can hold a huge one.',
    ),
  },
  outbox: {
    maxBytes: setting(
      integer(1_000_000, Number.MAX_SAFE_INTEGER),
      2_000_000_000,
      'Room for what is not delivered yet; pictures are dropped first, records never.',
    ),
  },
  gate: {
    maxAgeSeconds: setting(
      integer(0, 86_400),
      600,
      'An unchanged scene is classified again after this long all the same.',
    ),
    auditShare: setting(
      decimal(0, 1),
      0.02,
      'Share of the skipped frames that is classified to measure what skipping gets wrong.',
    ),
    threshold: setting(
      decimal(0, 255),
      4,
      'Mean difference of grey levels (0 to 255) between thumbnails below which a scene counts as unchanged.',
    ),
  },
  classify: {
    batchMax: setting(integer(1, 256), 8, 'Frames of several cameras that go through the model together.'),
    batchWaitMs: setting(integer(0, 10_000), 50, 'How long the first of them waits for others.'),
  },
  place: {
    latitude: setting(
      optional(decimal(-90, 90)),
      null,
      'Where this agent stands, in degrees; near cameras go to near agents.',
    ),
    longitude: setting(optional(decimal(-180, 180)), null, 'Where this agent stands, in degrees.'),
  },
};

export type AgentConfig = ConfigOf<typeof agentSchema>;

/** `file` defaults to agent.json in the data folder, which need not exist. */
export function loadAgentConfig(sources: Sources = {}): LoadedConfig<typeof agentSchema> {
  if (sources.file !== undefined)
    return loadConfig(agentSchema, 'CAMFLEET_AGENT_', { ...sources, fileIsRequired: true });
  const given = sources.flags?.['dataFolder'] ?? sources.environment?.['CAMFLEET_AGENT_DATA_FOLDER'];
  const dataFolder = typeof given === 'string' ? given : agentSchema.dataFolder.default;
  return loadConfig(agentSchema, 'CAMFLEET_AGENT_', { ...sources, file: join(dataFolder, 'agent.json') });
}
