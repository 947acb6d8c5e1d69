import type { Assignment, ProbeItem } from '../../common/protocol/agent-link.ts';

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1|.*\.localhost)$/;

/** How we introduce ourselves: with the operator's mail address or page, where there is one. */
export function userAgentWith(userAgent: string, contact: string | null): string {
  if (contact === null || userAgent.includes(contact)) return userAgent;
  const words = contact.includes('://') ? `+${contact}` : contact;
  return userAgent.endsWith(')') ? `${userAgent.slice(0, -1)}; ${words})` : `${userAgent} (${words})`;
}

/** Whether the people whose cameras are fetched can reach somebody: asked as soon as cameras of others are. */
export class ContactProbe {
  readonly #contact: string | null;
  readonly #tell: (item: ProbeItem) => void;
  #told = false;

  constructor(contact: string | null, tell: (item: ProbeItem) => void) {
    this.#contact = contact;
    this.#tell = tell;
  }

  saw(assignments: readonly Pick<Assignment, 'host' | 'source'>[]): void {
    if (this.#told || assignments.every(isOwn)) return;
    this.#told = true;
    const contact = this.#contact;
    if (contact !== null) return this.#tell({ name: 'contact', ok: true, found: contact });
    this.#tell({
      name: 'contact',
      ok: false,
      found: 'cameras of others are fetched, and their owners cannot tell by whom',
      mend: 'Set egress.contact (CAMFLEET_AGENT_EGRESS_CONTACT) to your mail address or a page about you',
    });
  }
}

const isOwn = ({ host, source }: Pick<Assignment, 'host' | 'source'>): boolean =>
  source.transport === 'file' || LOOPBACK.test(host);
