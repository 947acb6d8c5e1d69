import { AddressRule } from '../../common/network/address-rule.ts';
import type { AddressRuleOptions, Refusal } from '../../common/network/address-rule.ts';
import type { AppError } from '../../common/runtime/errors.ts';
import { sourceError } from './errors.ts';

export { createConnector } from '../../common/network/address-rule.ts';
export type { Lookup } from '../../common/network/address-rule.ts';

/** Which addresses this agent may contact for a camera; what it refuses is `SOURCE_BLOCKED`. */
export class EgressRule extends AddressRule {
  constructor(options: Omit<AddressRuleOptions, 'refuse'> = {}) {
    super({ ...options, refuse });
  }
}

function refuse({ host, address, reason }: Refusal): AppError {
  if (address === undefined)
    return sourceError('SOURCE_BLOCKED', `${host} must not be asked (${reason}).`, { host, reason });
  return sourceError(
    'SOURCE_BLOCKED',
    `${host} is at ${address || 'no address'} (${reason}), which this agent may not contact; to allow it add its range to egress.allow.`,
    { host, address, reason },
  );
}
