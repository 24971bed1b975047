import tseslint from 'typescript-eslint'

/** The folders stand in data-flow order; each may import only from those on its left. */
const order = ['drivers', 'calibration', 'models', 'runtime']

const folderRule = (folder) => ({
  files: [`${folder}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: order.slice(order.indexOf(folder) + 1).map((right) => ({
          regex: `^(\\.\\./)+${right}/`,
          message: `${folder}/ may not import ${right}/: data flows drivers <- calibration <- models <- runtime. Pass it in.`,
        })),
      },
    ],
  },
})

export default tseslint.config(
  { ignores: ['dist', '.tap', 'node_modules', '.scratch', 'docs', '**/*.js'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.base],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
  { files: ['test/**/*.ts'], rules: { '@typescript-eslint/no-floating-promises': 'off' } },
  ...order.slice(0, -1).map(folderRule),
)
