import { computed, h, onErrorCaptured, ref, watch } from 'vue';
import { RouterLink, RouterView, useRoute } from 'vue-router';

import { requestUrl } from './api.js';
import { config } from './config.js';
import { failurePanel, pageFailure } from './failure.js';
import { icon } from './icons.js';
import { pageAt } from './pages.js';
import { chooseTheme, theme } from './theme.js';

const THEMES = { system: 'System', light: 'Light', dark: 'Dark' };
const ICON_URL = new URL('icon.svg', import.meta.url).pathname;

/** Matches Vue's codes and names of errors that leave nothing to show: in setup, render and mount hooks. */
const FATAL = /(^|-)(0|1|bm|m)$|setup function|render function|mounted hook/;

/** Navigation, top bar and the current page. */
export const Frame = {
  name: 'OpsFrame',
  props: { session: Object, pages: Array },
  setup(props) {
    const route = useRoute();
    const menuOpen = ref(false);
    const sections = computed(() => bySection(props.pages));
    const close = () => (menuOpen.value = false);
    watch(() => route.fullPath, close);
    onErrorCaptured((error, _component, info) => {
      console.error(error);
      if (!FATAL.test(info)) return false;
      pageFailure.value = {
        title: 'This page failed',
        detail: `The error was: ${error.message}`,
      };
      return false;
    });
    const closeOnEscape = (event) => {
      if (event.key === 'Escape') close();
    };
    return () =>
      h('div', { class: ['frame', { 'menu-open': menuOpen.value }], onKeydown: closeOnEscape }, [
        h('a', { class: 'skip', href: '#content' }, 'Skip to content'),
        topBar(props, menuOpen, pageAt(props.pages, route.path)?.path ?? config.home),
        h('nav', { id: 'navigation', class: 'navigation', 'aria-label': 'Main', onClick: close }, [
          sections.value.map(([section, pages]) =>
            navigationSection(section, pages, route.path, pageAt(props.pages, route.path)),
          ),
        ]),
        h('div', { class: 'veil', onClick: close }),
        h('main', { id: 'content', class: 'content', tabindex: -1 }, [
          pageFailure.value ? failurePanel(pageFailure.value) : h(RouterView),
        ]),
      ]);
  },
};

function bySection(pages) {
  const sections = new Map();
  for (const page of pages) {
    sections.set(page.section, [...(sections.get(page.section) ?? []), page]);
  }
  return [...sections];
}

function navigationSection(section, pages, path, current) {
  const id = `section-${section.toLowerCase().replace(/\W+/g, '-')}`;
  return h('div', { class: 'section', key: section }, [
    h('h2', { id, class: 'section-title' }, section),
    h(
      'ul',
      { 'aria-labelledby': id },
      pages.map((page) => {
        const here = page === current;
        return h('li', { key: page.path }, [
          h(
            RouterLink,
            {
              to: page.path,
              class: ['entry', { here }],
              'aria-current': path === page.path ? 'page' : here ? 'true' : undefined,
            },
            () => [icon(page.icon), h('span', page.title)],
          ),
        ]);
      }),
    ),
  ]);
}

function topBar({ session }, menuOpen, here) {
  return h('header', { class: 'top-bar' }, [
    h(
      'button',
      {
        type: 'button',
        class: 'bar-button menu-button',
        'aria-controls': 'navigation',
        'aria-expanded': String(menuOpen.value),
        'aria-label': menuOpen.value ? 'Close the menu' : 'Open the menu',
        onClick: () => (menuOpen.value = !menuOpen.value),
      },
      [icon(menuOpen.value ? 'close' : 'menu')],
    ),
    h(RouterLink, { to: config.home, class: 'brand' }, () => [
      h('img', { src: ICON_URL, alt: '', width: 28, height: 28 }),
      h('span', 'Ops-Center'),
    ]),
    config.back_link ? backLink(config.back_link) : null,
    h('div', { class: 'bar-space' }),
    h('div', { class: 'who' }, [
      organization(session, here),
      h('span', { class: 'who-name' }, session.user.name ?? session.user.email),
    ]),
    h('label', { class: 'bar-select theme' }, [
      icon('contrast'),
      h('span', { class: 'for-screen-readers' }, 'Theme'),
      h(
        'select',
        { value: theme.value, onChange: (event) => chooseTheme(event.target.value) },
        Object.entries(THEMES).map(([value, name]) => h('option', { value, key: value }, name)),
      ),
    ]),
    session.sign_out
      ? h(
          'button',
          {
            type: 'button',
            class: 'bar-button',
            'aria-label': 'Sign out',
            title: 'Sign out',
            onClick: () => void signOut(session.sign_out),
          },
          [icon('exit')],
        )
      : null,
  ]);
}

function backLink({ href, label }) {
  return h('a', { class: 'back-link', href }, [
    icon('back'),
    h('span', { class: 'back-label' }, label),
  ]);
}

/** The name, or a choice if the user belongs to several. */
function organization({ organization: current, organizations }, home) {
  if (config.organization_url === null || organizations.length < 2) {
    return h('span', { class: 'who-organization' }, current?.name);
  }
  return h('label', { class: 'bar-select' }, [
    h('span', { class: 'for-screen-readers' }, 'Organization'),
    h(
      'select',
      {
        class: 'who-organization',
        value: current?.id ?? '',
        onChange: (event) => void switchOrganization(event.target, current?.id ?? '', home),
      },
      [
        current ? null : h('option', { value: '', disabled: true }, 'Choose an organization'),
        organizations.map(({ id, name }) => h('option', { value: id, key: id }, name)),
      ],
    ),
  ]);
}

/** What is shown belongs to the organization before, so everything is loaded again, from the start of the page. */
async function switchOrganization(select, before, home) {
  try {
    const body = { organization_id: select.value };
    await requestUrl(config.organization_url, { method: 'POST', body });
    location.assign(config.base_path + home);
  } catch (error) {
    select.value = before;
    pageFailure.value = {
      title: 'The organization could not be changed',
      detail: error.message,
    };
  }
}

/** The answer may lead to another site, which a form's policy would block; opening this page again leads to sign-in. */
async function signOut(url) {
  try {
    await fetch(url, { method: 'POST', redirect: 'manual' });
    location.reload();
  } catch {
    pageFailure.value = {
      title: 'You are still signed in',
      detail: 'The server does not respond. Check your connection, and try again.',
    };
  }
}
