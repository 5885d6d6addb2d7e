import js from '@eslint/js';
import vue from 'eslint-plugin-vue';
import tseslint from 'typescript-eslint';

const BROWSER_GLOBALS = [
  'console',
  'document',
  'fetch',
  'FormData',
  'localStorage',
  'location',
  'matchMedia',
  'setInterval',
  'clearInterval',
  'setTimeout',
  'clearTimeout',
  'URL',
  'URLSearchParams',
];

/** Syntax that this code base does not use. */
const FORBIDDEN_SYNTAX = [
  {
    selector: 'ExportDefaultDeclaration',
    message: 'Use named exports, so that a name is the same everywhere.',
  },
  { selector: 'TSEnumDeclaration', message: 'Use a constant array and a type derived from it.' },
  {
    selector: 'TSModuleDeclaration[kind="namespace"]',
    message: 'Use ES modules instead of namespaces.',
  },
  {
    selector: 'ExportAllDeclaration',
    message: 'No barrel files: import from the defining module.',
  },
];

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'screenshots/', '.data/'] },
  js.configs.recommended,
  {
    files: ['**/*.{ts,vue}'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: true,
        tsconfigRootDir: import.meta.dirname,
        extraFileExtensions: ['.vue'],
      },
    },
    rules: {
      'no-restricted-syntax': ['error', ...FORBIDDEN_SYNTAX],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': [
        'error',
        // Express 5 and Vue event handlers accept async functions.
        { checksVoidReturn: { arguments: false, attributes: false, properties: false } },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', destructuredArrayIgnorePattern: '^_' },
      ],
      // Joi, JSON and supertest return `any`; the variable it is assigned to declares the type.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // An implementation of an async port may have nothing to await.
      '@typescript-eslint/require-await': 'off',
      eqeqeq: 'error',
      // Reports assertions that the compiler requires.
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      '@typescript-eslint/no-duplicate-type-constituents': 'off',
      // Interfaces here declare functions in method syntax.
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['**/*.ts'],
    ignores: ['backend/container.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: [
            {
              name: 'inversify',
              importNames: ['Container'],
              allowTypeImports: true,
              message: 'Only backend/container.ts wires objects; use @inject for dependencies.',
            },
          ],
        },
      ],
    },
  },
  {
    // Servers log through their logger.
    files: ['backend/**/*.ts', 'jobs/**/*.ts', 'migrations/**/*.ts'],
    rules: { 'no-console': 'error' },
  },
  ...vue.configs['flat/recommended'].map((config) => ({
    ...config,
    files: ['frontend/**/*.vue'],
  })),
  {
    files: ['frontend/**/*.vue'],
    languageOptions: { parserOptions: { parser: tseslint.parser } },
    rules: {
      // Text from devices and admins must never become markup.
      'vue/no-v-html': 'error',
      // All texts are in frontend/texts, so that they can be translated.
      'vue/no-bare-strings-in-template': 'error',
      // A form may change fields of the draft it gets as a prop, but not replace the draft.
      'vue/no-mutating-props': ['error', { shallowOnly: true }],
      // Prettier formats the code.
      'vue/html-closing-bracket-newline': 'off',
      'vue/html-indent': 'off',
      'vue/html-self-closing': 'off',
      'vue/max-attributes-per-line': 'off',
      'vue/multiline-html-element-content-newline': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      // vue-tsc checks this.
      'no-undef': 'off',
    },
  },
  {
    // Parsed responses and events are `any`.
    files: ['frontend/**/*.{ts,vue}', 'test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-base-to-string': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
    },
  },
  {
    files: ['test/**/*.test.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        ...FORBIDDEN_SYNTAX,
        {
          selector:
            'Program > ExpressionStatement > CallExpression[callee.name=/^(before|after)(Each)?$/]',
          message: 'Outside of a describe(), a hook applies to the whole run. Move it into one.',
        },
      ],
    },
  },
  {
    // These tools require a default export.
    files: ['frontend/vite.config.ts', 'eslint.config.js'],
    rules: { 'no-restricted-syntax': 'off' },
  },
  {
    files: ['backend/server/page/browser/**/*.js', 'dev/host/page/**/*.js'],
    languageOptions: {
      globals: Object.fromEntries(BROWSER_GLOBALS.map((name) => [name, 'readonly'])),
    },
    rules: { 'no-restricted-syntax': ['error', ...FORBIDDEN_SYNTAX] },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs', globals: { module: 'writable' } },
  },
);
