import type { HostContext } from '../../host-contract.ts';

export interface PluginScope {
  context: HostContext;
  /** Removes everything the plugin still has registered, and returns a description of each. */
  release(): string[];
}

/**
 * The context of one plugin. Tracks what the plugin registers, so that the host can remove the rest if
 * activation fails or `deactivate` misses something.
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
  const { preRouter } = host.http;
  return {
    context: {
      ...host,
      http: {
        ...(preRouter && {
          preRouter: (area, handler) => tracked(`pre-router of ${area}`, preRouter(area, handler)),
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
