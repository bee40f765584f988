// A PLC in JavaScript over node-opcua: arguments, start, and the cyclic task. It knows docs/plc-interface.md
// and shares nothing with the host. Its line is that of tests/plc/conformance_line.toml, its plant simulated.
//
//   node main.js --pki FOLDER [--trusted FOLDER] [--port N] [--prefix P] [--feed MS] [--test]
//
// --pki       keeps the PLC's own key and certificate, made at the first start
// --trusted   client certificates that are accepted, DER or PEM; without it there is no security
// --port      0 for any that is free
// --prefix    of the node ids
// --feed      the plant inducts a parcel this often while the infeed runs; 0 for never
// --test      the key switch of test mode
//
// After the first scan, when the server listens, one line says "P port". SIGTERM ends it.

import net from "node:net";
import { parseArgs } from "node:util";

import { serve } from "./opcua.js";
import { Plant } from "./plant.js";
import { Program } from "./program.js";

const SCAN_US = 5_000;
const SCANS_MAX = 2_000; // to catch up with; beyond that the task was suspended, and time is lost

const { values: options } = parseArgs({
  options: {
    pki: { type: "string" },
    trusted: { type: "string" },
    port: { type: "string", default: "0" },
    prefix: { type: "string", default: "" },
    feed: { type: "string", default: "0" },
    test: { type: "boolean", default: false },
  },
});
if (!options.pki) throw new Error("--pki is needed: a folder for the PLC's own key and certificate");

const program = new Program({ testKey: options.test });
program.plant = new Plant(program, { feedMs: Number(options.feed) });

// The cyclic task. A scan covers SCAN_US of time; when the process was late, the missed scans run one after
// another, so that the program sees the plant at the resolution of its scan, as on a PLC.
const realUs = () => Number(process.hrtime.bigint() / 1000n);
let nowUs = realUs();
function cycle() {
  const real = realUs();
  if (real - nowUs > SCANS_MAX * SCAN_US) nowUs = real - SCANS_MAX * SCAN_US;
  while (nowUs + SCAN_US <= real) {
    nowUs += SCAN_US;
    program.plant.move(nowUs);
    program.scan(nowUs, real);
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

nowUs -= SCAN_US;
cycle(); // the start, before any client can read

const port = Number(options.port) || (await freePort());
const server = await serve(program, {
  port,
  pkiFolder: options.pki,
  trustedFolder: options.trusted,
  prefix: options.prefix,
});
nowUs = realUs() - SCAN_US;
const timer = setInterval(cycle, SCAN_US / 1000);

process.once("SIGTERM", async () => {
  clearInterval(timer);
  await server.shutdown(0);
  process.exit(0);
});
console.log(`P ${port}`);
