import { Option } from 'commander';
import type { Command } from 'commander';
import { cameraStates } from '../../common/domain/health.ts';
import type { Query } from './api.ts';
import { decimal } from './verb.ts';

export interface FilterOptions {
  text?: string;
  country?: string;
  region?: string;
  city?: string;
  tag?: string;
  kind?: string;
  lifecycle?: string;
  state?: string;
  verdict?: string;
  agent?: string;
  incident?: string;
  source?: string;
  host?: string;
  box?: string;
  near?: string;
  km?: number;
}

/** Conditions on cameras; all of them must hold. */
export function addFilterOptions(command: Command): Command {
  return command
    .option('--text <words>', 'words in name, place, host, brand, source or id')
    .option('--country <code>', 'ISO 3166 code such as US')
    .option('--region <region>', 'state, province or county')
    .option('--city <city>', 'city')
    .option('--tag <tag>', 'a tag')
    .option('--kind <kind>', 'ip, non_ip or stream')
    .option('--lifecycle <lifecycle>', 'candidate, active, paused or retired')
    .addOption(new Option('--state <state>', 'state of health').choices(cameraStates))
    .option('--verdict <verdict>', 'verdict of the newest attempt, such as http_error')
    .option('--agent <name>', 'name or id of the agent that tried it last')
    .option('--incident <id>', 'belongs to this incident')
    .option('--source <name>', 'where the camera comes from')
    .option('--host <host>', 'host of the camera')
    .option('--box <w,s,e,n>', 'inside these degrees; west greater than east goes across the date line')
    .option('--near <lat,lon>', 'around this place')
    .option('--km <n>', 'radius around --near (default: 10)', decimal);
}

export const filterQuery = ({
  text,
  country,
  region,
  city,
  tag,
  kind,
  lifecycle,
  state,
  verdict,
  agent,
  incident,
  source,
  host,
  box,
  near,
  km,
}: FilterOptions): Query => ({
  text,
  country,
  region,
  city,
  tag,
  kind,
  lifecycle,
  state,
  verdict,
  agent,
  incident,
  source,
  host,
  box,
  near,
  km,
});

export const isFiltered = (options: FilterOptions): boolean =>
  Object.values(filterQuery(options)).some((value) => value !== undefined);
