import { createTransport } from 'nodemailer';
import type { GetSocketCallback } from 'nodemailer/lib/mailer';
import { z } from 'zod';
import { codeOf, messageOf } from '../../../../common/runtime/errors.ts';
import { channelKind, deliveryError } from './channel.ts';
import type { Outgoing, Wire } from './channel.ts';
import { openSocket } from './contact.ts';

const address = z
  .string()
  .trim()
  .max(254)
  .regex(/^[^\s@<>()[\],;:\\"]+@[A-Za-z0-9.-]+$/, 'must be an address such as ops@example.org');
const addresses = z
  .union([z.string().transform((text) => text.split(',')), z.array(z.string())])
  .pipe(z.array(address).min(1).max(50));

const PORTS = { starttls: 587, tls: 465, none: 25 } as const;

const settings = z.strictObject({
  to: addresses.meta({ description: 'addresses, separated by commas' }),
  from: address.meta({ description: 'the address of the sender' }),
  host: z
    .string()
    .trim()
    .regex(/^[A-Za-z0-9.:-]{1,255}$/, 'must be the name or address of a mail server')
    .meta({ description: 'the mail server (SMTP)' }),
  port: z.coerce
    .number()
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .meta({ description: 'usually 587 with starttls, 465 with tls, 25 with none' }),
  security: z
    .enum(['starttls', 'tls', 'none'])
    .default('starttls')
    .meta({ description: 'starttls, tls (from the first byte) or none' }),
  user: z.string().min(1).max(254).optional().meta({ description: 'who signs in, where the server wants that' }),
  certificate: z
    .enum(['verified', 'any'])
    .default('verified')
    .meta({ description: 'any: also a certificate that the server made itself' }),
});
const secrets = z.strictObject({
  password: z.string().min(1).max(500).optional().meta({ description: 'of the user' }),
});
type Settings = z.output<typeof settings>;

/** Plain text by SMTP. */
export const email = channelKind({
  summary: 'Plain text by SMTP',
  settings,
  secrets,
  describe: ({ to, host }) => `${to.join(', ')} by ${host}`,
  problem: ({ user, security }, { password }) => {
    if ((user === undefined) !== (password === undefined))
      return 'user and password belong together: give both or none.';
    if (user !== undefined && security === 'none')
      return 'security none would send the password in the clear; take starttls or tls, or a server that wants none.';
    return undefined;
  },
  send: async (outgoing, given, { password }, wire) => {
    const port = given.port ?? PORTS[given.security];
    const auth = given.user === undefined ? undefined : { user: given.user, pass: password ?? '' };
    try {
      return await sendMail(outgoing, { ...given, port, auth }, wire);
    } catch (error) {
      wire.signal.throwIfAborted();
      throw translate(error, `${given.host}:${port}`);
    }
  },
});

async function sendMail(
  { deliveryId, madeAt, message }: Outgoing,
  { host, port, security, certificate, auth, from, to }: Settings & { port: number; auth: Auth | undefined },
  wire: Wire,
): Promise<string> {
  const connection = await openSocket(host, port, wire);
  // An aborted attempt must not hold the job any longer.
  const abort = (): void => void connection.destroy();
  wire.signal.addEventListener('abort', abort, { once: true });
  const transport = createTransport({
    ...{ host, port, secure: security === 'tls', requireTLS: security === 'starttls', ignoreTLS: security === 'none' },
    ...(auth && { auth }),
    ...TIMEOUTS,
    tls: { rejectUnauthorized: certificate === 'verified', minVersion: 'TLSv1.2' },
    disableFileAccess: true,
    disableUrlAccess: true,
    getSocket: (_options: unknown, callback: GetSocketCallback) => callback(null, { connection }),
  });
  try {
    const { response, rejected } = await transport.sendMail({
      from: { name: 'camfleet', address: from },
      to: [...to],
      subject: `[camfleet] ${message.subject}`,
      text: message.text,
      date: new Date(madeAt),
      messageId: `<${deliveryId}@camfleet.${from.slice(from.indexOf('@') + 1)}>`,
      // No answers of people's absence.
      headers: { 'Auto-Submitted': 'auto-generated' },
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    // Sending it again would reach the others twice.
    return rejected.length === 0 ? response : `${response}; refused for ${rejected.join(', ')}`;
  } finally {
    wire.signal.removeEventListener('abort', abort);
    transport.close();
    connection.destroy();
  }
}

interface Auth {
  user: string;
  pass: string;
}
const TIMEOUTS = { greetingTimeout: 10_000, socketTimeout: 15_000, connectionTimeout: 10_000 };

/** What went wrong in words that say what to mend. */
function translate(error: unknown, server: string): Error {
  const { responseCode, response } = error as { responseCode?: number; response?: string };
  const said = typeof response === 'string' ? response : messageOf(error);
  const code = codeOf(error);
  if (code === 'EAUTH')
    return deliveryError(`${server} refused user or password (${said}); give the channel anew with --replace.`);
  if (code === 'ETLS' || /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL|ESOCKET$)/.test(code ?? ''))
    return deliveryError(`No acceptable encrypted connection to ${server} (${said}).`);
  // Of the message or all its recipients, for good.
  const final = responseCode !== undefined && responseCode >= 500 && (code === 'EENVELOPE' || code === 'EMESSAGE');
  return deliveryError(`${server} did not take the message (${said}).`, { final, cause: error });
}
