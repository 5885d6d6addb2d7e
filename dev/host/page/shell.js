import { createApp, nextTick } from 'vue';
import { createPinia } from 'pinia';
import { createRouter, createWebHistory, START_LOCATION } from 'vue-router';

import { requestJson } from './api.js';
import { devicesEntry, devicesRoute } from './devices-page.js';
import { failurePanel, pageFailure } from './failure.js';
import { Frame } from './frame.js';
import { healthEntry, healthRoute } from './health-page.js';
import { installPluginPages } from './plugin-pages.js';

const { user, pages } = await requestJson('/api/v1/host/shell');
const entries = [devicesEntry, ...pages, healthEntry];
const home = pages[0]?.path ?? devicesEntry.path;

const router = createRouter({
  history: createWebHistory('/'),
  routes: [
    { path: '/admin', redirect: home },
    devicesRoute,
    healthRoute,
    {
      path: '/:anything(.*)*',
      meta: { title: 'Not found' },
      component: {
        render: () =>
          failurePanel({
            title: 'Page not found',
            detail: 'It may belong to a plugin that is not active.',
          }),
      },
    },
  ],
});
installPluginPages(router, pages);

router.afterEach((to, from, failure) => {
  if (failure) return;
  pageFailure.value = null;
  const title = to.meta.title ?? entries.find(({ path }) => to.path.startsWith(path))?.title;
  document.title = title ? `${title} – Ops-Center` : 'Ops-Center';
  const keepsFocus = from === START_LOCATION || from.path === to.path;
  if (!keepsFocus) void nextTick(() => document.getElementById('content')?.focus());
});
// For example, a chunk of a page that could not be fetched.
router.onError((error, to) => {
  console.error(error);
  pageFailure.value = {
    title: 'This page could not be loaded',
    detail: `Opening ${to.path} failed with: ${error.message}`,
    retry: to.fullPath,
  };
});

createApp(Frame, { user, entries }).use(createPinia()).use(router).mount('#app');
