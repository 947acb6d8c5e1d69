import { isIP } from 'node:net';
import type { HostNews, HostRest } from '../../../common/protocol/agent-link.ts';
import type { Queryable } from '../../platform/database/queries.ts';
import type { AgentSession, FleetDeps } from '../types.ts';
import { groupHosts } from './grouping.ts';

/** An hour at most, whatever an agent says. */
const MOST_REST_SECONDS = 3_600;
/** An agent that lost its own network finds every host failing: others try for themselves after this. */
const OTHERS_TRY_SECONDS = 60;
/** A renewal comes every five seconds; two may be lost. */
const NEWS_SECONDS = 15;
/** An address that a name no longer has counts for another day, because some names have a few in turn. */
const ADDRESS_DAYS = 1;
/** A group that grows beyond this is one of the large carriers, where more names change nothing. */
const MOST_GROUP = 5_000;

/** What the fleet knows of hosts: which rest, and which names are one host. */
export class HostLedger {
  readonly #deps: Pick<FleetDeps, 'database' | 'hostsAmong'>;
  readonly #regrouped: (leaders: readonly string[]) => Promise<void>;

  /** `regrouped` is told the leaders that hosts had before, after the change has committed. */
  constructor(
    deps: Pick<FleetDeps, 'database' | 'hostsAmong'>,
    regrouped: (leaders: readonly string[]) => Promise<void>,
  ) {
    this.#deps = deps;
    this.#regrouped = regrouped;
  }

  /** Takes what an agent found out. Only of hosts whose cameras it has, or had a minute ago. */
  async learn({ agentId }: AgentSession, { rests, addresses }: HostNews): Promise<void> {
    const { database } = this.#deps;
    if (rests.length > 0) {
      // One a host in a statement; what a host said itself counts more than what was found.
      const byHost = new Map<string, HostRest>();
      for (const rest of rests) if (byHost.get(rest.host)?.kind !== 'asked') byHost.set(rest.host, rest);
      await database.query(WRITE_RESTS, [JSON.stringify([...byHost.values()]), agentId, MOST_REST_SECONDS]);
    }
    if (addresses.length > 0) await this.#learnAddresses(addresses);
  }

  async #learnAddresses(addresses: HostNews['addresses']): Promise<void> {
    const known = new Set(await this.#deps.hostsAmong(addresses.map(({ host }) => host)));
    const rows = addresses
      .filter(({ host, addresses: list }) => known.has(host) && list.length > 0)
      .flatMap(({ host, addresses: list }) =>
        list.filter((address) => isIP(address) > 0).map((address) => ({ host, address })),
      );
    if (rows.length === 0) return;
    const left = await this.#deps.database.transaction(async (tx) => {
      // Two reports that join the same groups must not pass each other by.
      await tx.query(`select pg_advisory_xact_lock(hashtext('camfleet.hosts'))`);
      await tx.query(WRITE_ADDRESSES, [rows.map(({ host }) => host), rows.map(({ address }) => address), ADDRESS_DAYS]);
      return this.#regroup(tx, [...new Set(rows.map(({ host }) => host))]);
    });
    if (left.length > 0) await this.#regrouped(left);
  }

  /** Gives the leaders that hosts had before. */
  async #regroup(tx: Queryable, hosts: string[]): Promise<string[]> {
    const rows = await tx.many<{ host: string; address: string }>(NEIGHBOURS, [hosts, MOST_GROUP]);
    // A camera may be known by the address itself.
    const bare = await this.#deps.hostsAmong([...new Set(rows.map(({ address }) => address))]);
    const leaders = groupHosts([...rows, ...bare.map((host) => ({ host, address: host }))]);
    const changed = await tx.many<{ before: string }>(WRITE_LEADERS, [[...leaders.keys()], [...leaders.values()]]);
    return [...new Set(changed.map(({ before }) => before))];
  }

  /** What others found lately about hosts of the cameras of these sessions. */
  async news(db: Queryable, sessionIds: readonly string[]): Promise<Map<string, HostRest[]>> {
    const rows = await db.many<HostRest & { sessionId: string }>(READ_NEWS, [
      sessionIds,
      NEWS_SECONDS,
      OTHERS_TRY_SECONDS,
    ]);
    const bySession = new Map<string, HostRest[]>();
    for (const { sessionId, ...rest } of rows) bySession.set(sessionId, [...(bySession.get(sessionId) ?? []), rest]);
    return bySession;
  }
}

/** Leaders of those hosts that have another one than themselves. */
export async function readLeaders(db: Queryable): Promise<Map<string, string>> {
  const rows = await db.many<{ host: string; leader: string }>('select host, leader from hosts where leader <> host');
  return new Map(rows.map(({ host, leader }) => [host, leader]));
}

const WRITE_RESTS = `
  insert into host_rests as r (host, kind, until_at, agent_id)
  select n.host, n.kind, least(to_timestamp(n.until / 1000), clock_timestamp() + make_interval(secs => $3)), $2
  from json_to_recordset($1::json) as n (host text, kind text, until float8)
  where exists (
    select from memberships m join grants g on g.shard_id = m.shard_id
    where m.host = n.host and m.until_at is null and g.agent_id = $2
      and (g.until_at is null or g.until_at > clock_timestamp() - interval '1 minute'))
  order by n.host
  on conflict (host) do update set kind = excluded.kind, agent_id = excluded.agent_id, changed_at = clock_timestamp(),
    until_at = case when r.kind = 'asked' and excluded.kind = 'asked' then greatest(r.until_at, excluded.until_at)
      else excluded.until_at end
  where excluded.kind = 'asked' or r.kind = 'failing' or r.until_at < clock_timestamp()`;

const UNTIL = (others: string, elsewhere: string): string => `extract(epoch from case
  when r.kind = 'failing' and ${elsewhere} then least(r.until_at, r.changed_at + make_interval(secs => ${others}))
  else r.until_at end) * 1000`;

const READ_NEWS = `
  select distinct g.session_id as "sessionId", r.host, r.kind, ${UNTIL('$3', 'true')} as until
  from host_rests r join memberships m on m.host = r.host and m.until_at is null
  join grants g on g.shard_id = m.shard_id and g.until_at is null
  where r.changed_at > clock_timestamp() - make_interval(secs => $2) and r.until_at > clock_timestamp()
    and g.session_id = any($1) and g.agent_id <> r.agent_id`;

/** The rest of a host, if it rests now, as `kind` and `until` (ms), for an agent that is to get cameras of it with this shard. */
export const restFor = ({ host, shard }: { host: string; shard: string }): string => `
  select r.kind, ${UNTIL(
    String(OTHERS_TRY_SECONDS),
    `not exists (select from grants g where g.shard_id = ${shard} and g.until_at is null and g.agent_id = r.agent_id)`,
  )} as until
  from host_rests r where r.host = ${host} and r.until_at > clock_timestamp()`;

const WRITE_ADDRESSES = `
  with told as (select * from unnest($1::text[], $2::text[]) as t (host, address)),
  gone as (
    delete from host_addresses a using (select distinct host from told) h
    where a.host = h.host and a.seen_at < clock_timestamp() - make_interval(days => $3)
      and not exists (select from told where told.host = a.host and told.address = a.address))
  insert into host_addresses (host, address) select distinct host, address from told order by 1, 2
  on conflict (host, address) do update set seen_at = clock_timestamp()`;

// Everything that these hosts are joined with by addresses, or were until now.
const NEIGHBOURS = `
  with recursive reached (host) as (
    select unnest($1::text[])
    union
    select next.host from reached cross join lateral (
      select other.host from host_addresses own join host_addresses other on other.address = own.address
      where own.host = reached.host
      union
      select member.host from hosts own join hosts member on member.leader = own.leader where own.host = reached.host
    ) next
  )
  select a.host, a.address from (select host from reached limit $2) r join host_addresses a on a.host = r.host
  order by a.host, a.address`;

const WRITE_LEADERS = `
  with wanted as (select * from unnest($1::text[], $2::text[]) as w (host, leader)),
  before as (
    select w.host, w.leader, coalesce(h.leader, w.host) as was from wanted w left join hosts h on h.host = w.host
    where coalesce(h.leader, w.host) <> w.leader),
  written as (
    insert into hosts (host, leader) select host, leader from before order by host
    on conflict (host) do update set leader = excluded.leader)
  select was as before from before`;
