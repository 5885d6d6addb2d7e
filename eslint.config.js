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
  'URLSearchParams',
];

/** What the language allows and this code base does not use. */
const NOT_HERE = [
  {
    selector: 'ExportDefaultDeclaration',
    message: 'Export by name: a name that is given once is found everywhere.',
  },
  { selector: 'TSEnumDeclaration', message: 'Use a constant array and the type of its elements.' },
  {
    selector: 'TSModuleDeclaration[kind="namespace"]',
    message: 'Modules are namespaces enough.',
  },
  { selector: 'ExportAllDeclaration', message: 'No barrels: import from where it is defined.' },
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
      'no-restricted-syntax': ['error', ...NOT_HERE],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': [
        'error',
        // Express 5 and event handlers of Vue take functions that return promises.
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
      // Joi, JSON and supertest give `any`; the type is named where the value is taken over.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // An async function is also how a port is kept that others fulfil asynchronously.
      '@typescript-eslint/require-await': 'off',
      eqeqeq: 'error',
      // It takes assertions for needless that the compiler asks for.
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      '@typescript-eslint/no-duplicate-type-constituents': 'off',
      // "decide(target)" in an interface is how a function is typed here, not a bound method.
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
              message:
                'Only backend/container.ts puts things together; take what you need by @inject.',
            },
          ],
        },
      ],
    },
  },
  {
    // Servers and agents log through their logger.
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
      // Texts of devices and admins are text, never markup.
      'vue/no-v-html': 'error',
      // The page's words stand in frontend/texts, where they can be translated.
      'vue/no-bare-strings-in-template': 'error',
      // A form may fill in the draft it was given; replacing the draft is its owner's.
      'vue/no-mutating-props': ['error', { shallowOnly: true }],
      // Prettier decides how things look.
      'vue/html-closing-bracket-newline': 'off',
      'vue/html-indent': 'off',
      'vue/html-self-closing': 'off',
      'vue/max-attributes-per-line': 'off',
      'vue/multiline-html-element-content-newline': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      // vue-tsc knows whether a name exists.
      'no-undef': 'off',
    },
  },
  {
    // What a server answered, as a test or an event source reads it.
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
        ...NOT_HERE,
        {
          selector:
            'Program > ExpressionStatement > CallExpression[callee.name=/^(before|after)(Each)?$/]',
          message: 'Outside of a describe() it holds for the whole run: put it into one.',
        },
      ],
    },
  },
  {
    // Tools that read a default export.
    files: ['frontend/vite.config.ts', 'eslint.config.js'],
    rules: { 'no-restricted-syntax': 'off' },
  },
  {
    files: ['dev/host/page/**/*.js'],
    languageOptions: {
      globals: Object.fromEntries(BROWSER_GLOBALS.map((name) => [name, 'readonly'])),
    },
    rules: { 'no-restricted-syntax': ['error', ...NOT_HERE] },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs', globals: { module: 'writable' } },
  },
);
