import type { HostBudget } from '../../common/protocol/agent-link.ts';

/** Each shard brings its part of a host's budget; an agent that holds several parts may use their sum. */
export class HostShares {
  readonly #byHost = new Map<string, Map<number, HostBudget>>();

  /** Replaces a shard's parts. Returns the sums for the hosts named. */
  set(shardId: number, hosts: readonly HostBudget[]): HostBudget[] {
    for (const budget of hosts) {
      const parts = this.#byHost.get(budget.host) ?? new Map<number, HostBudget>();
      this.#byHost.set(budget.host, parts.set(shardId, budget));
    }
    return hosts.map(({ host }) => sum(host, [...this.#byHost.get(host)!.values()]));
  }

  remove(shardId: number): void {
    for (const [host, parts] of this.#byHost) {
      parts.delete(shardId);
      if (parts.size === 0) this.#byHost.delete(host);
    }
  }
}

function sum(host: string, parts: readonly HostBudget[]): HostBudget {
  const concurrency = parts.reduce((total, part) => total + part.concurrency, 0);
  // Delays are the reciprocals of rates, and rates add up; no delay at all stays none.
  const rate = parts.reduce((total, part) => total + 1 / part.minDelayMs, 0);
  const rest = parts.find((part) => part.rest)?.rest;
  const minDelayMs = Number.isFinite(rate) && rate > 0 ? 1 / rate : 0;
  return { host, concurrency, minDelayMs, ...(rest && { rest }) };
}
