import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** A number that is read when Prometheus asks. A record gives one number for each value of `label`. */
export interface MetricSource {
  /** Without the prefix `camfleet_`. */
  name: string;
  help: string;
  label?: string;
  read(): Promise<number | Record<string, number>> | number | Record<string, number>;
}

export interface Metrics {
  registry: Registry;
}

/** All metrics of the process, names `camfleet_*`. */
export function createMetrics(sources: readonly MetricSource[] = []): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'camfleet_' });
  for (const source of sources) addGauge(registry, source);
  return { registry };
}

function addGauge(registry: Registry, { name, help, label, read }: MetricSource): void {
  new Gauge({
    name: `camfleet_${name}`,
    help,
    labelNames: label === undefined ? [] : [label],
    registers: [registry],
    async collect() {
      // A source that fails leaves a gap: the other metrics matter most just then.
      const value = await Promise.resolve(read()).catch(() => undefined);
      this.reset();
      if (typeof value === 'number') this.set(value);
      else for (const [key, number] of Object.entries(value ?? {})) this.set({ [label ?? 'name']: key }, number);
    },
  });
}

/** Times every answer by route, not by URL: a camera's id must not become a label. */
export function measureRequests(app: FastifyInstance, registry: Registry): void {
  const duration = new Histogram({
    name: 'camfleet_http_request_seconds',
    help: 'Time from request to answer, by route and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown';
    duration.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
  });
}
