import type { Logger } from '../common/runtime/logger.ts';
import type { Coordinator } from './coordinator.ts';

interface Places {
  terminal: { isTTY?: boolean; write(text: string): unknown };
  logger: Logger;
}

/**
 * Says how to open the page for the first time. The link goes to a terminal only, never to a log: whoever has it is an
 * administrator. Where there is no terminal (a service, a container) the log names the file that holds the token.
 */
export function greetAdministrator(
  { url, adminLink, adminTokenFile }: Pick<Coordinator, 'url' | 'adminLink' | 'adminTokenFile'>,
  { terminal, logger }: Places,
): void {
  if (terminal.isTTY) terminal.write(`camfleet runs. Open ${adminLink}\n`);
  else logger.info({ url, file: adminTokenFile }, 'open the page with the administrator token that this file holds');
}
