// Python as WebAssembly, in node and in a browser: unpacks work.zip, which lies beside, and runs a function of run.py.
import { loadPyodide } from "./node_modules/pyodide/pyodide.mjs";

const inNode = typeof process !== "undefined";

export async function run(name, ...words) {
  const here = new URL("./work.zip", import.meta.url);
  const archive = inNode
    ? new Uint8Array((await import("node:fs")).readFileSync(here))
    : await (await fetch(here)).arrayBuffer();
  const python = await loadPyodide();
  python.unpackArchive(archive, "zip", { extractDir: "/work" });
  python.runPython("import os, sys; os.chdir('/work'); sys.path.insert(0, '/work'); sys.dont_write_bytecode = True");
  return python.pyimport("run")[name](...words);
}

if (inNode) {
  const answer = await run(...process.argv.slice(2));
  if (typeof answer === "number") process.exit(answer);
  console.log(answer);
}
