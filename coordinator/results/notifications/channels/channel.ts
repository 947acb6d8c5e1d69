import { z } from 'zod';
import type { AddressRule } from '../../../../common/network/address-rule.ts';
import type { ChannelKindRow, NotificationMessage } from '../../../../common/protocol/notifications.ts';
import { AppError } from '../../../../common/runtime/errors.ts';

/** Which addresses may be contacted: one rule for everything that is opened because somebody named it. */
export type Egress = Pick<AddressRule, 'check' | 'lookup'>;

/** A message on its way. */
export interface Outgoing {
  /** The same at every attempt, so that a receiver can tell a repetition. */
  deliveryId: string;
  /** When the message was made, ms. */
  madeAt: number;
  message: NotificationMessage;
}

export interface Wire {
  egress: Egress;
  /** Ends the attempt: its deadline, or the coordinator stops. */
  signal: AbortSignal;
}

/** A channel as it is stored. Secrets are as given, never to be shown. */
export interface Given {
  settings: Record<string, unknown>;
  secrets: Record<string, unknown>;
}

/** One way to tell somebody. A new one is a file with such an object and a line in table.ts. */
export interface ChannelKind {
  summary: string;
  settings: z.ZodObject;
  secrets: z.ZodObject;
  describe(given: Given): string;
  /** Throws `CHANNEL_INVALID` where settings and secrets do not go together. */
  check(given: Given): void;
  /** Resolves with what the server said; rejects with `deliveryError`, or whatever the network threw. */
  send(outgoing: Outgoing, given: Given, wire: Wire): Promise<string>;
}

interface Definition<S extends z.ZodObject, P extends z.ZodObject> {
  summary: string;
  /** Shown to operators and recorded in the audit. Each with `.meta({ description })`. */
  settings: S;
  /** Sealed in the database, shown to nobody. */
  secrets: P;
  /** Where it leads, in a few words. */
  describe(settings: z.output<S>, secrets: z.output<P>): string;
  /** What is wrong with settings and secrets together. */
  problem?(settings: z.output<S>, secrets: z.output<P>): string | undefined;
  send(outgoing: Outgoing, settings: z.output<S>, secrets: z.output<P>, wire: Wire): Promise<string>;
}

/** Parses what was stored before a kind sees it. */
export function channelKind<S extends z.ZodObject, P extends z.ZodObject>(kind: Definition<S, P>): ChannelKind {
  const parsed = ({ settings, secrets }: Given) =>
    [kind.settings.parse(settings), kind.secrets.parse(secrets)] as [z.output<S>, z.output<P>];
  return {
    summary: kind.summary,
    settings: kind.settings,
    secrets: kind.secrets,
    describe: (given) => kind.describe(...parsed(given)),
    check: (given) => {
      const problem = kind.problem?.(...parsed(given));
      if (problem !== undefined) throw new AppError('CHANNEL_INVALID', problem);
    },
    send: (outgoing, given, wire) => kind.send(outgoing, ...parsed(given), wire),
  };
}

/** What people must tell to have such a channel. */
export function settingsOf({ settings, secrets }: ChannelKind): ChannelKindRow['settings'] {
  const rows = (object: z.ZodObject, secret: boolean) =>
    Object.entries(object.shape as Record<string, z.ZodType>).map(([name, type]) => ({
      ...{ name, about: z.globalRegistry.get(type)?.description ?? '', secret },
      required: !type.safeParse(undefined).success,
    }));
  return [...rows(settings, false), ...rows(secrets, true)];
}

/** `final`: trying again is pointless. `retryAfterMs`: as the server asked. */
export function deliveryError(
  message: string,
  { final = false, retryAfterMs, cause }: { final?: boolean; retryAfterMs?: number | undefined; cause?: unknown } = {},
): AppError {
  return new AppError('DELIVERY_FAILED', message, { details: { final, retryAfterMs }, cause });
}
