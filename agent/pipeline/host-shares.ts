import type { HostBudget } from '../../common/protocol/agent-link.ts';

/** Hosts whose budget is another one now, and those of which this agent has no part any more. */
export interface ChangedBudgets {
  left: HostBudget[];
  gone: string[];
}

/** Each shard brings its part of a host's budget; an agent that holds several parts may use their sum. */
export class HostShares {
  readonly #byHost = new Map<string, Map<number, HostBudget>>();

  /** Replaces a shard's parts: these are all that it has. */
  set(shardId: number, hosts: readonly HostBudget[]): ChangedBudgets {
    const { left, gone } = this.#without(shardId, new Set(hosts.map(({ host }) => host)));
    for (const budget of hosts) {
      const parts = this.#byHost.get(budget.host) ?? new Map<number, HostBudget>();
      this.#byHost.set(budget.host, parts.set(shardId, budget));
    }
    return { left: [...left, ...hosts.map(({ host }) => sum(host, [...this.#byHost.get(host)!.values()]))], gone };
  }

  /** Every host's budget, for somebody who knows none. */
  all(): HostBudget[] {
    return [...this.#byHost].map(([host, parts]) => sum(host, [...parts.values()]));
  }

  /** Takes a shard's parts back: somebody else has them now. */
  remove(shardId: number): ChangedBudgets {
    return this.#without(shardId, new Set());
  }

  #without(shardId: number, kept: ReadonlySet<string>): ChangedBudgets {
    const left: HostBudget[] = [];
    const gone: string[] = [];
    for (const [host, parts] of this.#byHost) {
      if (kept.has(host) || !parts.delete(shardId)) continue;
      if (parts.size > 0) left.push(sum(host, [...parts.values()]));
      else gone.push(host);
    }
    for (const host of gone) this.#byHost.delete(host);
    return { left, gone };
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
