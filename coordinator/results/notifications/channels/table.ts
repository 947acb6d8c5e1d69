import type { ChannelKind } from './channel.ts';
import { email } from './email.ts';
import { webhook } from './webhook.ts';

/** Every kind of channel by its name. */
export const channelKinds: Readonly<Record<string, ChannelKind>> = { email, webhook };
