// One stream of events for all tabs of this browser. It keeps the documents, so that a tab that is
// opened later gets them at once.

const RETRY_MS = 2000;
const SILENT_MS = 35000; // the server says something every 15 s
const PAGE = crypto.randomUUID?.() ?? String(Math.random()).slice(2); // for the server to know us again
const ports = [];
let documents = {};
let now = null; // what the server's clock said last
let heard = 0; // when, by a clock that nobody sets
let connected = false;

function tell(message) {
  for (const port of ports) port.postMessage(message);
}

function apply({ everything, now: at, set }) {
  now = at;
  heard = performance.now();
  if (everything) documents = {};
  for (const [key, value] of Object.entries(set)) {
    if (value === null) delete documents[key];
    else documents[key] = value;
  }
}

function follow() {
  const source = new EventSource(`/events?page=${PAGE}`);
  let silence = null;
  const lost = () => {
    connected = false;
    tell({ connected });
  };
  const listen = () => {
    clearTimeout(silence);
    silence = setTimeout(() => {
      source.close(); // the connection stands, but nobody is at the other end
      lost();
      follow();
    }, SILENT_MS);
  };
  listen();
  source.onmessage = (event) => {
    listen();
    const message = JSON.parse(event.data);
    apply(message);
    connected = true;
    tell({ connected, ...message });
  };
  source.onerror = () => {
    lost();
    if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
    clearTimeout(silence);
    setTimeout(follow, RETRY_MS);
  };
}

function greet(port) {
  ports.push(port);
  if (!connected) return port.postMessage({ connected });
  const since = performance.now() - heard; // in silence a quarter of a minute
  port.postMessage({ connected, everything: true, now: new Date(Date.parse(now) + since).toISOString(), set: documents });
}

if ("onconnect" in self) {
  self.onconnect = (event) => greet(event.ports[0]);
} else {
  greet(self); // a browser without shared workers: a worker of its own for each tab
}
follow();
