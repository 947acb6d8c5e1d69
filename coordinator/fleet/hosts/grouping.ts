export interface HostAddress {
  host: string;
  address: string;
}

/**
 * Hosts that share an address, directly or by way of others, are one: each gets the same leader, the first of their names. A
 * host that shares nothing leads itself.
 */
export function groupHosts(rows: readonly HostAddress[]): Map<string, string> {
  const parents = new Map<string, string>();
  const rootOf = (name: string): string => {
    let root = name;
    for (let above = parents.get(root); above !== undefined && above !== root; above = parents.get(root)) root = above;
    parents.set(name, root);
    return root;
  };
  const firstAt = new Map<string, string>();
  for (const { host, address } of rows) {
    if (!parents.has(host)) parents.set(host, host);
    const other = firstAt.get(address);
    if (other === undefined) {
      firstAt.set(address, host);
      continue;
    }
    const [a, b] = [rootOf(host), rootOf(other)];
    if (a !== b) parents.set(a < b ? b : a, a < b ? a : b);
  }
  return new Map([...parents.keys()].map((host) => [host, rootOf(host)]));
}
