import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { deliveryStates, notificationName, ruleInputSchema } from '../../../common/protocol/notifications.ts';
import { channelKinds } from './channels/table.ts';
import type { Notifications } from './notifications.ts';

const config = { role: 'operator' as const };
const tags = ['notifications'];
const id = z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER);
const named = z.object({ name: notificationName });

// What is secret stands under `secrets`: the audit records everything else.
const [first, ...others] = Object.entries(channelKinds).map(([kind, { settings, secrets }]) =>
  z.strictObject({
    name: notificationName,
    kind: z.literal(kind),
    settings,
    secrets: secrets.default({} as never),
    replace: z.boolean().default(false),
  }),
);
const channelBody = z.discriminatedUnion('kind', [first!, ...others]);

const whoAsks = ({ principal }: Pick<FastifyRequest, 'principal'>): string =>
  principal.kind === 'token' ? principal.name : 'nobody';

/** /notifications: where people are told, what of, and what became of it. Addresses of people are for operators. */
export function notificationRoutes(notifications: Notifications): FastifyPluginAsyncZod {
  return async (app) => {
    await app.register(channelRoutes(notifications), { prefix: '/notifications' });
    await app.register(ruleRoutes(notifications), { prefix: '/notifications' });
    await app.register(deliveryRoutes(notifications), { prefix: '/notifications' });
  };
}

function channelRoutes(notifications: Notifications): FastifyPluginAsyncZod {
  const { channels } = notifications;
  return async (app) => {
    const kinds = { tags, summary: 'Kinds of channels, and what each wants to know' };
    app.get('/kinds', { config, schema: kinds }, () => ({ kinds: channels.kinds() }));
    app.get('/channels', { config, schema: { tags, summary: 'Where people are told' } }, async () => ({
      channels: await channels.list(),
    }));
    app.get('/channels/:name', { config, schema: { tags, params: named } }, ({ params }) => channels.get(params.name));
    app.post(
      '/channels',
      {
        config,
        schema: { tags, summary: 'What is given under `secrets` is sealed and shown nowhere', body: channelBody },
      },
      async (request, reply) => reply.status(201).send(await channels.add({ ...request.body, by: whoAsks(request) })),
    );
    app.delete('/channels/:name', { config, schema: { tags, params: named } }, async ({ params }, reply) => {
      await channels.remove(params.name);
      return reply.status(204).send();
    });
    app.post(
      '/channels/:name/test',
      { config, schema: { tags, summary: 'Send one message now; the answer is what the server said', params: named } },
      ({ params }) => notifications.testChannel(params.name),
    );
  };
}

function ruleRoutes(notifications: Notifications): FastifyPluginAsyncZod {
  const { rules } = notifications;
  return async (app) => {
    app.get('/rules', { config, schema: { tags, summary: 'What is told to whom' } }, async () => ({
      rules: await rules.list(),
    }));
    app.get('/rules/:name', { config, schema: { tags, params: named } }, ({ params }) => rules.get(params.name));
    app.post(
      '/rules',
      {
        config,
        schema: { tags, summary: 'Tell what begins from now on, and what goes on now', body: ruleInputSchema },
      },
      async (request, reply) => reply.status(201).send(await rules.add(request.body, whoAsks(request))),
    );
    app.delete('/rules/:name', { config, schema: { tags, params: named } }, async ({ params }, reply) => {
      await rules.remove(params.name);
      return reply.status(204).send();
    });
    app.post(
      '/rules/:name/test',
      { config, schema: { tags, summary: 'Send one message now through each of its channels', params: named } },
      async ({ params }) => ({ tests: await notifications.testRule(params.name) }),
    );
  };
}

function deliveryRoutes({ deliveries }: Notifications): FastifyPluginAsyncZod {
  const querystring = z.object({
    state: z.enum(deliveryStates).optional(),
    rule: notificationName.optional(),
    channel: notificationName.optional(),
    before: id.optional(),
    limit: z.coerce.number().int().min(1).max(500).default(50),
  });
  const params = z.object({ id });
  return async (app) => {
    app.get(
      '/deliveries',
      {
        config,
        schema: {
          tags,
          summary: 'Messages by channel, newest first; `before` is the `next` of the page before',
          querystring,
        },
      },
      ({ query: { before, limit, ...filter } }) => deliveries.list(filter, { before, limit }),
    );
    app.get('/deliveries/:id', { config, schema: { tags, params } }, (request) => deliveries.get(request.params.id));
    app.post('/deliveries/:id/retry', { config, schema: { tags, summary: 'Try it again now', params } }, (request) =>
      deliveries.retry(request.params.id),
    );
  };
}
