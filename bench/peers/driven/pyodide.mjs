// Pyodide in Node: CPython as Wasm. The orders are those of orders.py.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { loadPyodide } = await import(pathToFileURL(process.argv[2]));
const fresh = () => loadPyodide({ stdout: () => {}, stderr: () => {} });
const held = [];

const orders = {
  async run({ source }) {
    const began = performance.now();
    const python = await fresh();
    python.runPython(source);
    return { ms: performance.now() - began };
  },
  async first({ source }) {
    const began = performance.now();
    const python = await fresh();
    let marked = 0;
    python.globals.set("mark", () => (marked = performance.now()));
    python.runPython(`mark()\n${source}`);
    return { ms: marked - began };
  },
  async calls({ count, text }) {
    const python = await fresh();
    const moments = [];
    python.globals.set("echo", (said) => (moments.push(performance.now()), said));
    python.runPython(`for _ in range(${count + 1}):\n    echo(${JSON.stringify(text)})\n`);
    return { us: moments.slice(1).map((moment, at) => (moment - moments[at]) * 1000) };
  },
  async grow({ source, count }) {
    const python = await fresh();
    python.runPython(source);
    // What it compiles while it runs, in threads of its own, is done before anything is counted.
    python.runPython(`main(${2 * count})`);
    await new Promise((rested) => setTimeout(rested, 500));
    const took = [count, 2 * count].map((times) => {
      const began = process.cpuUsage();
      python.runPython(`main(${times})`);
      const spent = process.cpuUsage(began);
      return (spent.user + spent.system) / 1000;
    });
    return { ms: took[1] - took[0] };
  },
  async hold() {
    const python = await fresh();
    python.runPython("1");
    held.push(python);
    return {};
  },
};

console.log("{}");
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  let answer;
  try {
    answer = await orders[order.do](order);
  } catch (wrong) {
    answer = { error: String(wrong.message ?? wrong).trim().split("\n").at(-1).slice(-200) };
  }
  console.log(JSON.stringify(answer));
}
