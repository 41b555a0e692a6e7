// The watch of a module's process: a thread of its own, which an endless loop of the module does not stop. It ends the process when it
// takes too much memory, or when the judge is no longer there. Off the heap lie the numbers of typed arrays, so what counts is what the
// process occupies.
import { Worker } from "node:worker_threads";

const WATCH = `
const { writeSync } = require("node:fs");
const { judge, memory } = require("node:worker_threads").workerData;
const isThere = () => {
  try { return process.kill(judge, 0); } catch (error) { return error.code === "EPERM"; }
};
const end = (why) => {
  try { writeSync(5, why); } catch {}
  process.kill(process.pid, "SIGKILL");
};
setInterval(() => {
  if (process.memoryUsage.rss() > memory) end("memory");
  if (!isThere()) end("judge");
}, 50);
`;

/** Starts the watch for the judge's process and a number of bytes. */
export function startWatch(judge: number, memory: number): void {
  // Without the loaders of the process, since the watch is plain JavaScript, and without its output, which would be opened for it.
  new Worker(WATCH, { eval: true, execArgv: [], stdout: true, stderr: true, workerData: { judge, memory } }).unref();
}
