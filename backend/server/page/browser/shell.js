import { createApp, nextTick } from 'vue';
import { createPinia } from 'pinia';
import { createRouter, createWebHistory, START_LOCATION } from 'vue-router';

import { requestJson, requestUrl } from './api.js';
import { config } from './config.js';
import { failurePanel, pageFailure } from './failure.js';
import { Frame } from './frame.js';
import { noticePanel } from './notice.js';
import { pageAt } from './pages.js';
import { installPluginPages } from './plugin-pages.js';

const session = await requestUrl(config.session_url).catch((error) => error);
if (session instanceof Error) {
  const failure = { title: 'Ops-Center could not be loaded', detail: session.message };
  createApp({ render: () => failurePanel(failure) }).mount('#app');
} else start(session);

function start(session) {
  const pages = session.is_admin ? config.pages : [];
  const router = createRouter({
    // Pages find the base path of the host here, for their requests.
    history: createWebHistory(config.base_path || '/'),
    routes: [
      ...(pages.length > 0 ? [{ path: '/admin', redirect: config.home }] : []),
      {
        path: '/:anything(.*)*',
        meta: { title: session.is_admin ? 'Not found' : 'No access' },
        component: { render: () => (session.is_admin ? notFound() : noAccess(session)) },
      },
    ],
  });
  installPluginPages(router, pages);

  router.afterEach((to, from, failure) => {
    if (failure) return;
    pageFailure.value = null;
    const title = to.meta.title ?? pageAt(pages, to.path)?.title;
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
      retry: router.resolve(to.fullPath).href,
    };
  });

  createApp(Frame, { session, pages })
    .provide('requestJson', requestJson)
    .use(createPinia())
    .use(router)
    .mount('#app');
}

function notFound() {
  return failurePanel({
    title: 'Page not found',
    detail: 'It may belong to a plugin that is not active.',
  });
}

function noAccess({ user, organization }) {
  const name = user.name ?? user.email;
  return noticePanel({
    title: 'You need to be an admin',
    detail: organization
      ? `You are signed in as ${name}, but only admins of ${organization.name} can open this page. Ask one of them for access.`
      : `You are signed in as ${name}, but you belong to no organization. Ask an admin to add you to one.`,
  });
}
