// The networks of a board: each is loaded once, when it is first wanted.

/** { get, stop } for [{ name, load }]: get(name) resolves to what load() gives; one that failed is loaded anew. */
export function networkStore(networks) {
  const loaded = new Map();
  return {
    get(name) {
      if (!loaded.has(name)) {
        loaded.set(name, networks.find((network) => network.name === name).load());
        loaded.get(name).catch(() => loaded.delete(name));
      }
      return loaded.get(name);
    },
    stop: () => loaded.forEach((network) => network.then(({ stop }) => stop(), () => {})),
  };
}
