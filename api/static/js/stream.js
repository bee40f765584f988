// The server-sent events of one line, for ever: the browser reconnects by itself after a cut, and
// this opens anew where the browser gave up (an error answer while the server was starting).

const RETRY_MS = 1000;

/** @param {string} line @param {(kind: string, data: string) => void} tell */
export function listen(line, tell) {
  const source = new EventSource(`/api/v1/stream?line=${encodeURIComponent(line)}`);
  for (const kind of ["frame", "age"]) {
    source.addEventListener(kind, (event) => tell(kind, event.data));
  }
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(line, tell), RETRY_MS);
  });
}
