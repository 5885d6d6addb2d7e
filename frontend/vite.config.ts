import vue from '@vitejs/plugin-vue';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

/**
 * Gives the bundled Element Plus styles the prefix that `OtaShell.vue` sets as namespace. Host and page can
 * then use different versions or themes of Element Plus without affecting each other, even in popups outside the
 * page's root element.
 */
const prefixElementPlus = {
  postcssPlugin: 'prefix-element-plus',
  Rule(rule: { selector: string }) {
    if (/\.el-/.test(rule.selector)) rule.selector = rule.selector.replace(/\.el-/g, '.ota-el-');
  },
  Declaration(declaration: { prop: string; value: string }) {
    if (declaration.prop.startsWith('--el-'))
      declaration.prop = `--ota-${declaration.prop.slice(2)}`;
    if (declaration.value.includes('--el-')) {
      declaration.value = declaration.value.replace(/--el-/g, '--ota-el-');
    }
  },
};

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  plugins: [vue()],
  // Library builds keep `process.env.NODE_ENV` for a later bundler, but this one is loaded by browsers.
  define: {
    'process.env.NODE_ENV': JSON.stringify('production'),
    __VUE_OPTIONS_API__: 'true',
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
  },
  css: { postcss: { plugins: [prefixElementPlus] } },
  build: {
    outDir: '../dist/frontend',
    emptyOutDir: true,
    target: 'es2022',
    cssCodeSplit: false,
    modulePreload: false,
    lib: {
      entry: 'index.ts',
      formats: ['es'],
      fileName: () => 'page.js',
      cssFileName: 'page',
    },
    rolldownOptions: {
      external: ['vue', 'pinia', 'vue-router'],
      output: {
        minify: true,
        chunkFileNames: 'chunks/[name]-[hash].js',
        // One chunk, because many small ones compress worse.
        codeSplitting: {
          groups: [
            { name: 'shared', test: /frontend\/(shared|api|shell|texts)\//, minShareCount: 2 },
          ],
        },
      },
    },
  },
});
