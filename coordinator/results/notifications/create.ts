import { AddressRule } from '../../../common/network/address-rule.ts';
import type { Refusal } from '../../../common/network/address-rule.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import { Notifications } from './notifications.ts';
import type { NotificationsOptions } from './notifications.ts';

/** Notifications that contact public addresses, and of the others those that the operator allows. */
export const createNotifications = ({
  allow,
  ...options
}: Omit<NotificationsOptions, 'egress'> & { allow: readonly string[] }): Notifications =>
  new Notifications({ ...options, egress: new AddressRule({ allow, refuse }) });

const refuse = ({ host, address, reason }: Refusal): AppError =>
  new AppError(
    'NOTIFICATION_ADDRESS',
    `${host} is at ${address === undefined || address === '' ? 'no address' : address} (${reason}), which must not be contacted; to allow it add its range to notifications.allow of the coordinator.`,
  );
