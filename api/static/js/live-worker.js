// One EventSource for all tabs of a line: browsers allow six connections to a host, and the seventh
// tab would hang. Every message is passed on as it came, with the time it came.

import { listen } from "./stream.js";

const ports = new Set();
const line = new URL(self.location.href).searchParams.get("line");
let last = null;

listen(line, (kind, data) => {
  last = { kind, data, at: Date.now() };
  for (const port of ports) port.postMessage(last);
});

self.addEventListener("connect", (event) => {
  const port = event.ports[0];
  ports.add(port);
  port.addEventListener("message", () => ports.delete(port)); // any word from a page is good-bye
  port.start();
  if (last) port.postMessage(last);
});
