/** Follows redirects between servers with their cookies, as a browser does. */
interface Cookie {
  value: string;
  path: string;
}

export interface Visit {
  status: number;
  /** The address after all redirects. */
  url: URL;
  /** The addresses on the way. */
  redirects: URL[];
  body: string;
  /** The `Set-Cookie` headers of all answers. */
  cookies: string[];
}

export class CookieBrowser {
  readonly #jars = new Map<string, Map<string, Cookie>>();

  /** Stops in front of an address that `stopAt` matches, without requesting it. */
  async open(address: string, init: RequestInit = {}, stopAt?: RegExp): Promise<Visit> {
    const visit: Visit = { status: 0, url: new URL(address), redirects: [], body: '', cookies: [] };
    for (let hop = 0; hop < 20; hop++) {
      if (hop > 0 && stopAt?.test(visit.url.href)) return visit;
      const headers = { ...init.headers, cookie: this.cookieHeader(visit.url) };
      const answer = await fetch(
        visit.url,
        hop === 0 ? { ...init, headers, redirect: 'manual' } : { headers, redirect: 'manual' },
      );
      visit.status = answer.status;
      visit.body = await answer.text();
      this.#keep(visit, answer.headers.getSetCookie());
      const location = answer.headers.get('location');
      if (location === null) return visit;
      visit.redirects.push(visit.url);
      visit.url = new URL(location, visit.url);
    }
    throw new Error(`too many redirects to ${visit.url.href}`);
  }

  cookieHeader(url: URL): string {
    return [...(this.#jars.get(url.origin) ?? [])]
      .filter(([, { path }]) => path === '/' || `${url.pathname}/`.startsWith(`${path}/`))
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ');
  }

  #keep(visit: Visit, cookies: string[]): void {
    const jar = this.#jars.get(visit.url.origin) ?? new Map<string, Cookie>();
    this.#jars.set(visit.url.origin, jar);
    visit.cookies.push(...cookies);
    for (const cookie of cookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      const path = /; path=([^;]*)/i.exec(cookie)?.[1] ?? '/';
      const isGone = /; expires=Thu, 01 Jan 1970/i.test(cookie);
      if (isGone) jar.delete(name);
      else jar.set(name, { value, path });
    }
  }
}
