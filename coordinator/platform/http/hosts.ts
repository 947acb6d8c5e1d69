import type { FastifyInstance } from 'fastify';
import { AppError } from '../../../common/runtime/errors.ts';

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/i;

export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

const HEADERS = {
  // React sets styles through the DOM and pictures come with a token, as blobs: no inline code or style is needed.
  'content-security-policy':
    "default-src 'self'; img-src 'self' blob: data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
} as const;

/**
 * On loopback only requests for a loopback name are answered: a web page elsewhere whose name was re-bound to 127.0.0.1 says
 * its own name in `Host`.
 */
export function protectOrigin(app: FastifyInstance, listenHost: string): void {
  const onlyLoopback = isLoopback(listenHost);
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers(HEADERS);
    if (onlyLoopback && !isAllowedHost(request.headers.host)) {
      throw new AppError(
        'HOST_REFUSED',
        'This coordinator answers on loopback only; use http://127.0.0.1 or localhost.',
      );
    }
  });
}

/** Whether a `Host` header names this machine. */
export function isAllowedHost(header: string | undefined): boolean {
  return header !== undefined && isLoopback(header.replace(/:\d+$/, ''));
}
