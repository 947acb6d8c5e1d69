import type { AgentToCoordinator } from '../../common/protocol/agent-link.ts';
import { ok } from '../../common/runtime/result.ts';
import type { HostLedger } from './hosts/ledger.ts';
import type { Leases } from './leases.ts';
import type { Memberships } from './membership.ts';
import { Renewals } from './renewals.ts';
import type { Sessions } from './sessions.ts';
import type { AgentSession, FleetContext } from './types.ts';

export type LinkEvent = keyof AgentToCoordinator;
export type LinkPayload<E extends LinkEvent> = Parameters<AgentToCoordinator[E]>[0];
export type LinkResult<E extends LinkEvent> = Parameters<Parameters<AgentToCoordinator[E]>[1]>[0];

/** One handler for every event of an agent; the gateway has checked the payload's form and who sends it. */
export type LinkHandlers = {
  [E in LinkEvent]: (session: AgentSession, payload: LinkPayload<E>) => Promise<LinkResult<E>>;
};

export function linkHandlers(
  deps: FleetContext,
  {
    sessions,
    leases,
    memberships,
    hosts,
  }: { sessions: Sessions; leases: Leases; memberships: Memberships; hosts: HostLedger },
): LinkHandlers {
  const renewals = new Renewals(deps, hosts, (...version) => memberships.acknowledge(...version));
  return {
    'agent:hello': (session, hello) => sessions.hello(session, hello),
    'agent:drain': (session) => leases.drain(session),
    'lease:renew': (session, renewal) => renewals.renew(session, renewal),
    'work:request': (session) => leases.request(session),
    'work:accept': (session, accept) => leases.accept(session, accept),
    'work:release': (session, release) => leases.release(session, release),
    'shard:sync': (session, version) => memberships.sync(session, version),
    'shard:acknowledge': (session, version) => memberships.acknowledge(session, version),
    'model:report': async (session, report) => {
      await deps.modelReported(session, report);
      return ok({});
    },
    'takedown:list': async () => ok(await deps.takedowns()),
    'placeholder:list': async () => ok(await deps.placeholders()),
  };
}
