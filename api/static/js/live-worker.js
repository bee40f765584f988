// One EventSource for all tabs of a line: browsers allow six connections to a host, and the seventh
// tab would hang. Every message is passed on as it came, with the time it came.

const ports = new Set();
const line = new URL(self.location.href).searchParams.get("line");
const source = new EventSource(`/api/v1/stream?line=${encodeURIComponent(line)}`);
let last = null;

function tell(message) {
  last = message;
  for (const port of ports) port.postMessage(message);
}

for (const kind of ["frame", "age"]) {
  source.addEventListener(kind, (event) => tell({ kind, data: event.data, at: Date.now() }));
}

self.addEventListener("connect", (event) => {
  const port = event.ports[0];
  ports.add(port);
  port.addEventListener("message", () => ports.delete(port)); // any word from a page is good-bye
  port.start();
  if (last) port.postMessage(last);
});
