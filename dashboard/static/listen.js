// The events of runs for all tabs of this browser, as a SharedWorker: a browser opens six
// connections to a host, and tabs that follow a run would take one each. A tab sends an address;
// what it gets back is what an EventSource tells: "open", "error" with whether it is over, and events.

const sources = new Map(); // by address: the EventSource, its tabs, and what it has told

addEventListener("connect", ({ ports: [tab] }) => {
  tab.onmessage = ({ data: { address, kinds } }) => {
    if (!address) return leave(tab);
    const shared = sources.get(address) ?? listen(address, kinds);
    shared.tabs.add(tab);
    for (const message of shared.told) tab.postMessage(message); // From the start, as for a new one.
  };
  tab.start();
});

function listen(address, kinds) {
  const source = new EventSource(address);
  const shared = { source, tabs: new Set(), told: [] };
  sources.set(address, shared);
  const tell = (message) => shared.tabs.forEach((tab) => tab.postMessage(message));
  for (const kind of kinds) {
    source.addEventListener(kind, ({ data }) => {
      shared.told.push({ kind, data });
      tell({ kind, data });
    });
  }
  source.addEventListener("open", () => tell({ kind: "open" }));
  source.addEventListener("error", () => {
    const isOver = source.readyState === EventSource.CLOSED;
    if (isOver) sources.delete(address);
    tell({ kind: "error", isOver });
  });
  return shared;
}

function leave(tab) {
  for (const [address, { source, tabs }] of sources) {
    if (!tabs.delete(tab) || tabs.size) continue;
    source.close();
    sources.delete(address);
  }
}
