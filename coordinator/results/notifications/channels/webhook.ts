import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { systemClock } from '../../../../common/runtime/clock.ts';
import { channelKind, deliveryError } from './channel.ts';
import type { Outgoing } from './channel.ts';
import { post } from './contact.ts';
import type { Posted } from './contact.ts';

const settings = z.strictObject({
  certificate: z
    .enum(['verified', 'any'])
    .default('verified')
    .meta({ description: 'any: also a certificate that the server made itself' }),
});
const secrets = z.strictObject({
  // Whoever knows such an address may post to it: many carry their key in the path.
  url: z
    .url({ protocol: /^https?$/ })
    .max(2_000)
    .refine((url) => !/^[a-z]+:\/\/[^/?#]*@/i.test(url), 'must not hold a user or password')
    .meta({ description: 'where to post to' }),
  key: z
    .string()
    .min(16, 'must have at least 16 characters')
    .max(200)
    .optional()
    .meta({ description: 'signs every message, so that the receiver can tell that it is ours' }),
});

/** JSON by HTTP POST, signed where there is a key. */
export const webhook = channelKind({
  summary: 'JSON by HTTP POST, signed with HMAC-SHA256 where a key is given',
  settings,
  secrets,
  describe: (_settings, { url }) => `${new URL(url).origin}/…`,
  send: async (outgoing, { certificate }, { url, key }, wire) => {
    const body = JSON.stringify(bodyOf(outgoing));
    const headers = { ...HEADERS, 'x-camfleet-delivery': outgoing.deliveryId, ...signatureOf(body, key) };
    return judge(await post(new URL(url), { headers, body, anyCertificate: certificate === 'any' }, wire));
  },
});

const HEADERS = { 'content-type': 'application/json', 'user-agent': 'camfleet' };

/** `text` first: chat servers take that field and leave the rest. */
const bodyOf = ({ deliveryId, madeAt, message: { text, subject, ...rest } }: Outgoing) => ({
  ...{ text: `${subject}\n\n${text}`, subject, version: 1, delivery: deliveryId },
  madeAt: new Date(madeAt).toISOString(),
  ...rest,
});

/** Over the second and the body, so that neither can be changed and an old message can be told. */
function signatureOf(body: string, key: string | undefined): Record<string, string> {
  if (key === undefined) return {};
  const timestamp = String(Math.floor(systemClock.now() / 1_000));
  const signature = createHmac('sha256', key).update(`${timestamp}.${body}`).digest('hex');
  return { 'x-camfleet-timestamp': timestamp, 'x-camfleet-signature': `sha256=${signature}` };
}

/** Not the message is at fault, but something that somebody may mend meanwhile. */
const MENDABLE = new Set([401, 403, 404, 407, 408, 409, 423, 425, 429]);

function judge({ status, headers, text }: Posted): string {
  const answer = `HTTP ${status}${text.trim() === '' ? '' : `: ${text.trim()}`}`;
  if (status >= 200 && status < 300) return answer;
  if (status >= 300 && status < 400)
    throw deliveryError(`The server redirects (${answer}); redirects are not followed: give the address it leads to.`);
  const final = status >= 400 && status < 500 && !MENDABLE.has(status);
  throw deliveryError(`The server answered ${answer}`, { final, retryAfterMs: retryAfterOf(headers['retry-after']) });
}

function retryAfterOf(value: string | string[] | undefined): number | undefined {
  const text = Array.isArray(value) ? value[0] : value;
  if (text === undefined) return undefined;
  const ms = /^\d{1,6}$/.test(text.trim()) ? Number(text) * 1_000 : Date.parse(text) - systemClock.now();
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}
