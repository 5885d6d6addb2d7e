import { failurePanel } from './failure.js';
import { pageAt } from './pages.js';

/**
 * Adds the routes of plugin pages to the router, each page's when it is opened for the first time. A page that
 * cannot be loaded gets a route that shows the error; other pages are not affected.
 */
export function installPluginPages(router, pages) {
  const added = new Set();
  router.beforeEach(async (to) => {
    const page = pageAt(pages, to.path);
    if (!page || added.has(page)) return true;
    for (const route of await routesOf(page)) router.addRoute(route);
    added.add(page);
    return to.fullPath;
  });
}

async function routesOf(page) {
  try {
    const [module] = await Promise.all([
      import(page.module),
      page.style === null ? null : addStyle(page.style),
    ]);
    if (!Array.isArray(module.routes)) throw new Error('it exports no routes');
    return module.routes;
  } catch (error) {
    console.error(`The page "${page.title}" could not be loaded.`, error);
    return [
      {
        path: `${page.path}/:rest(.*)*`,
        meta: { title: page.title },
        component: () => Promise.resolve({ render: () => failurePanel(explain(page, error)) }),
      },
    ];
  }
}

function explain(page, error) {
  return {
    title: `${page.title} could not be loaded`,
    detail: `Its files are missing or broken (${error.message}). The rest of Ops-Center works.`,
  };
}

/** Resolves even if the style cannot be loaded: an unstyled page is better than none. */
function addStyle(href) {
  return new Promise((resolve) => {
    const link = document.createElement('link');
    link.rel = 'stylesheet';
    link.href = href;
    link.onload = resolve;
    link.onerror = () => {
      console.warn(`The style ${href} could not be loaded.`);
      resolve();
    };
    document.head.append(link);
  });
}
