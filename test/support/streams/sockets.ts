import { readdir, readFile, readlink } from 'node:fs/promises';

const TABLES = ['tcp', 'tcp6', 'udp', 'udp6', 'raw', 'raw6'];

/** The network sockets of a process, each as `tcp 127.0.0.1:554` (protocol and whom it is connected to). Linux only. */
export async function networkSocketsOf(pid: number): Promise<string[]> {
  const open = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = await Promise.all(open.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  const inodes = new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
  const tables = await Promise.all(
    TABLES.map(async (name) => {
      const text = await readFile(`/proc/${pid}/net/${name}`, 'utf8').catch(() => '');
      return text.split('\n').slice(1).map((line) => ({ name, fields: line.trim().split(/\s+/) })); // prettier-ignore
    }),
  );
  return tables
    .flat()
    .filter(({ fields }) => inodes.has(fields[9] ?? ''))
    .map(({ name, fields }) => `${name} ${remoteOf(fields[2] ?? '')}`);
}

/** `0100007F:022A` is 127.0.0.1:554; what is longer is IPv6, and left as it is. */
function remoteOf(text: string): string {
  const [address = '', port = ''] = text.split(':');
  if (address.length !== 8) return text;
  return `${[...Buffer.from(address, 'hex')].reverse().join('.')}:${parseInt(port, 16)}`;
}
