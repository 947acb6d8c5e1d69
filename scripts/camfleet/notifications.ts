import type { Command } from 'commander';
import { addChannelCommands } from './notification-channels.ts';
import { addDeliveryCommands } from './notification-deliveries.ts';
import { addRuleCommands } from './notification-rules.ts';
import type { Context } from './verb.ts';

/** `camfleet notifications …`: who is told what, and what became of it. */
export function addNotificationCommands(program: Command, context: Context): void {
  const notifications = program
    .command('notifications')
    .description('Who is told of incidents and of troubles of the fleet, by webhook and e-mail');
  addChannelCommands(notifications, context);
  addRuleCommands(notifications, context);
  addDeliveryCommands(notifications, context);
}
