import type { Command } from 'commander';
import { AppError, EXIT } from '../../common/runtime/errors.ts';
import type { ConnectionOptions } from './api.ts';
import { apiOf, interval, print, speaksApi, verb, wholeNumber, words } from './verb.ts';
import type { Context, Printing } from './verb.ts';

type Common = ConnectionOptions & Printing;

/** `cameras add` */
export function addAdd(cameras: Command, context: Context): void {
  const command = verb(cameras, 'add [address]', 'Add one camera by the address of its snapshot, or by host and path', [
    'cameras add https://example.org/cam1.jpg --name "Main street" --near 40.42,-86.91 --interval 30s',
    'cameras add --host 192.0.2.7 --snapshot-path /axis-cgi/jpg/image.cgi --user viewer --password secret',
    'cameras add --host 192.0.2.9 --brand axis --user viewer --password secret',
    'cameras add --host 192.0.2.8 --port 8080 --video-path /mjpg/video.mjpg --tags traffic,highway',
  ])
    .option('--host <host>', 'host of a camera with a web server of its own')
    .option('--port <n>', 'its port', wholeNumber(1, 65_535))
    .option('--scheme <scheme>', 'http or https')
    .option('--brand <name>', 'its maker: cameras of known brands need no paths')
    .option('--model <name>', 'its model, where it differs from others of the brand')
    .option('--snapshot-path <path>', 'path of its snapshots')
    .option('--video-path <path>', 'path of its MJPEG stream')
    .option('--user <name>', 'for its sign-in; stored encrypted')
    .option('--password <password>', 'for its sign-in; stored encrypted')
    .option('--name <name>', 'what people call it')
    .option('--near <lat,lon>', 'where it is, in degrees')
    .option('--country <country>', 'ISO 3166 code or English name')
    .option('--region <region>', 'state, province or county')
    .option('--city <city>', 'city')
    .option('--time-zone <zone>', 'IANA time zone')
    .option('--interval <time>', 'capture interval (default: 1min)', interval)
    .option('--hours <hours>', 'when to capture, in its time zone, such as "Mo-Fr 06:00-20:00" (default: always)')
    .option('--priority <0-9>', 'stretched last when capacity is short: 9', wholeNumber(0, 9))
    .option('--tags <tags>', 'tags, separated by commas', words)
    .option('--source <name>', 'where you have it from', 'manual')
    .option('--source-camera-id <id>', 'its id there (default: its address)');
  speaksApi(command).action(async (address: string | undefined, options: Common & AddOptions) => {
    const api = await apiOf(options, context);
    const camera = await api.post<{ id: number; name: string }>('/cameras', cameraOf(address, options));
    print(context, options, camera, () => `Camera ${camera.id} (${camera.name}) was added.\n`);
  });
}

interface AddOptions extends Record<string, unknown> {
  near?: string;
  user?: string;
  password?: string;
  interval?: number;
  hours?: string;
}

/** Options that are fields of the camera under the same name. */
const FIELDS = [
  'host',
  'port',
  'scheme',
  'brand',
  'model',
  'snapshotPath',
  'videoPath',
  'name',
  'country',
  'region',
  'city',
  'timeZone',
  'priority',
  'tags',
  'source',
  'sourceCameraId',
] as const;

function cameraOf(address: string | undefined, options: Common & AddOptions): Record<string, unknown> {
  const { near, user, password, interval: intervalMs, hours: activeHours } = options;
  const fields = Object.fromEntries(
    FIELDS.map((name) => [name, options[name]]).filter(([, value]) => value !== undefined),
  );
  const isStream = address !== undefined && (/^(rtsp|rtmp)s?:/i.test(address) || /\.m3u8(\?|$)/i.test(address));
  const place = near?.split(',').map(Number) ?? [];
  if (near !== undefined && (place.length !== 2 || !place.every(Number.isFinite))) {
    throw new AppError('USAGE', `--near "${near}" must be latitude,longitude such as 40.42,-86.91.`, {
      details: { exit: EXIT.usage },
    });
  }
  return {
    ...fields,
    ...(address !== undefined && { [isStream ? 'streamUrl' : 'snapshotUrl']: address }),
    ...(near !== undefined && { latitude: place[0], longitude: place[1] }),
    ...(intervalMs !== undefined && { intervalMs }),
    ...(activeHours !== undefined && { activeHours }),
    ...((user ?? password) !== undefined && { credentials: { user: user ?? '', password: password ?? '' } }),
  };
}
