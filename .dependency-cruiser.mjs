// The architecture as a rule: what each room of src/ may import. `npm run arrows` checks it, and docs/architecture.md shows the
// picture that is drawn from the same imports.

/** Each room and the rooms below it. Imports point downwards only. */
const below = {
  report: ['files', 'chart', 'training', 'measure', 'symmetry', 'traces', 'network', 'tfjs'],
  farm: ['files', 'training', 'measure', 'symmetry', 'traces', 'network', 'tfjs', 'native'],
  files: ['training', 'measure', 'symmetry', 'traces', 'network', 'tfjs', 'native'],
  chart: ['training', 'measure', 'symmetry', 'traces', 'network', 'tfjs'],
  measures: ['measure', 'symmetry', 'traces', 'network', 'tfjs'],
  training: ['measure', 'symmetry', 'traces', 'network', 'tfjs'],
  measure: ['symmetry', 'traces', 'network', 'tfjs'],
  symmetry: ['network', 'tfjs'],
  traces: ['network', 'tfjs'],
  network: ['tfjs'],
  tfjs: [],
  native: [],
};
/** Tiny files at the root that every room may use. */
const everywhere = '(abort-signals|checks|names|warnings)\\.ts$';
/** Where files are written, in Node only. */
const files = '^src/(farm|files|report|training/(files|tensorboard))/';

const rooms = Object.entries(below).map(([room, lower]) => ({
  name: `${room}-imports-downwards`,
  comment: lower.length > 0 ? `${room}/ may import from ${lower.join(', ')}.` : `${room}/ stands on the ground.`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: [`^src/(${[room, ...lower].join('|')})/`, `^src/${everywhere}`] },
}));

export default {
  forbidden: [
    ...rooms,
    {
      name: 'everywhere-imports-nothing',
      comment: 'What every room uses stands on its own.',
      severity: 'error',
      from: { path: `^src/${everywhere}` },
      to: { path: '^src/', pathNot: `^src/${everywhere}` },
    },
    {
      name: 'native-is-a-tool',
      comment: 'native/ builds tfjs-node for the command line; no library code needs it.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(native|files)/', '^src/cli\\.ts$'] },
      to: { path: '^src/native/' },
    },
    {
      name: 'runs-in-a-page',
      comment: 'Only what is reached through tfjs-sharpness/node and the command line may use modules of Node.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(cli|files|node|report)\\.ts$', '^src/native/', files] },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'files-behind-their-door',
      comment: 'Files are written in Node only: nothing else of the package reaches what writes them.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(cli|files|node|report)\\.ts$', files] },
      to: { path: files },
    },
    {
      name: 'declared-packages',
      comment: 'A package that src/ imports is a dependency or a peer: others are not there for users.',
      severity: 'error',
      from: { path: '^src/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-optional', 'npm-no-pkg', 'npm-unknown', 'unknown'],
        dependencyTypesNot: ['npm-peer'],
      },
    },
    { name: 'no-circle', severity: 'error', from: { path: '^src/' }, to: { circular: true } },
    {
      name: 'no-orphan',
      comment: 'A file that nothing imports is an entry or goes.',
      severity: 'error',
      from: { orphan: true, path: '^src/', pathNot: '\\.d\\.ts$' },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
};
