import type { HostContext } from '../../backend/host-contract.ts';

export interface PluginScope {
  context: HostContext;
  /** Takes off what the plugin left behind, and says what that was. */
  release(): string[];
}

/**
 * The context as one plugin sees it. Keeps account of what the plugin registers, so that a plugin which
 * fails half-way, or forgets something, leaves nothing in the host.
 */
export function createPluginScope(host: HostContext): PluginScope {
  const registered = new Map<() => void, string>();
  const tracked = (what: string, remove: () => void): (() => void) => {
    const removeOnce = (): void => {
      if (registered.delete(removeOnce)) remove();
    };
    registered.set(removeOnce, what);
    return removeOnce;
  };
  const { listenAhead } = host.http;
  return {
    context: {
      ...host,
      http: {
        ...(listenAhead && {
          listenAhead: (area, listener) =>
            tracked(`listener ahead of ${area}`, listenAhead(area, listener)),
        }),
        mount: (area, router) => tracked(`routes of ${area}`, host.http.mount(area, router)),
      },
      navigation: {
        addPage: (page) => tracked(`page ${page.id}`, host.navigation.addPage(page)),
      },
      lifecycle: {
        onShutdown: (callback) => tracked('shutdown callback', host.lifecycle.onShutdown(callback)),
      },
    },
    release() {
      const leftovers = [...registered];
      for (const [remove] of leftovers) remove();
      return leftovers.map(([, what]) => what);
    },
  };
}
