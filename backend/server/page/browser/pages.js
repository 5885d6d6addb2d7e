/** The page that a path belongs to: that with the longest matching path, since pages may be below each other. */
export function pageAt(pages, path) {
  return pages
    .filter((page) => path === page.path || path.startsWith(`${page.path}/`))
    .reduce((best, page) => (best && best.path.length > page.path.length ? best : page), null);
}
