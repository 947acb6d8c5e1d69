// Who may import whom. Run by `npm run boundaries`; README's picture shows the same.

/** A heavy dependency has one home folder; everybody else goes through that room's service. */
const home = (name, packages, folders) => ({
  name: `only-home-of-${name}`,
  comment: `${packages} may be imported only in ${folders}`,
  severity: 'error',
  from: { pathNot: folders },
  to: { path: `node_modules/(${packages})/` },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'apps-meet-in-common',
      comment: 'coordinator, agent and trainer never import each other',
      severity: 'error',
      from: { path: '^(coordinator|agent|trainer)/' },
      to: { path: '^(coordinator|agent|trainer)/', pathNot: '^$1/' },
    },
    {
      name: 'common-is-the-leaf',
      severity: 'error',
      from: { path: '^common/' },
      to: { path: '^(coordinator|agent|trainer|config|scripts|test)/' },
    },
    {
      name: 'domain-is-pure',
      comment: 'common/domain: zod only',
      severity: 'error',
      from: { path: '^common/domain/' },
      to: { pathNot: '^common/domain/|node_modules/zod/' },
    },
    {
      name: 'nothing-imports-scripts-or-test',
      severity: 'error',
      from: { path: '^(coordinator|agent|trainer|common|config)/' },
      to: { path: '^(scripts|test)/' },
    },
    {
      name: 'config-is-read-by-mains',
      comment: 'every module gets its slice of the configuration as an argument',
      severity: 'error',
      from: { path: '^(coordinator|agent|trainer)/', pathNot: '/main\\.ts$' },
      to: { path: '^config/' },
    },
    {
      name: 'agent-stages-are-apart',
      comment: 'sources, clean, classify and report meet only in pipeline',
      severity: 'error',
      from: { path: '^agent/(sources|clean|classify|report|link|leases)/' },
      to: { path: '^agent/(sources|clean|classify|report|link|leases|pipeline)/', pathNot: '^agent/$1/' },
    },
    {
      name: 'repositories-stay-home',
      comment: "a service uses another room's service, never its repository",
      severity: 'error',
      from: { path: '^coordinator/(registry|fleet|results|learning)/' },
      to: { path: '^coordinator/(registry|fleet|results|learning)/.*repository\\.ts$', pathNot: '^coordinator/$1/' },
    },
    home('pg', 'pg', '^(coordinator/platform/database|test)/'),
    home('bull', 'bull', '^(coordinator/platform/jobs|test)/'),
    home('socket-io', 'socket\\.io', '^(coordinator/platform/gateway|test)/'),
    home('socket-io-client', 'socket\\.io-client', '^(agent/link|coordinator/dashboard|scripts|test)/'),
    home('onnxruntime', 'onnxruntime-node', '^(common/inference|trainer/engine|scripts|test)/'),
    home('tensorflow', '@tensorflow', '^(trainer/engine|scripts|test)/'),
    home('h5wasm', 'h5wasm', '^(trainer/backbone|test)/'),
    home('nodemailer', 'nodemailer', '^(coordinator/results/notifications/channels|test)/'),
    home('fastify', 'fastify', '^(coordinator/platform/http|coordinator/.*routes\\.ts$|test/)'),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^coordinator/dashboard/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
};
