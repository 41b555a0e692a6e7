// Processes of every hostile kind, in plain JavaScript. Each is right, apart from what its line does.

export interface HostileProcess {
  /** Where its line stands: at the start, before the outputs are written, after that, after the answer, or at the end of the requests. */
  readonly place: "start" | "before" | "after" | "answered" | "end";
  readonly line: string;
  readonly says: RegExp | "harmless";
  /** It hangs, so that its time limit is short. */
  readonly hangs?: boolean;
}

/** The text of a program for add.forward; it knows inputs, outputs and folder as paths, n as the number of the case. */
export function programText({ place, line }: HostileProcess): string {
  const at = (here: HostileProcess["place"]): string => (here === place ? line : "");
  return `
const fs = require("node:fs"); const { dirname, join } = require("node:path");
const { spawn, execFileSync } = require("node:child_process");
${at("start")}
let rest = "";
process.stdin.on("data", (text) => {
  const lines = (rest + text).split("\\n");
  rest = lines.pop();
  for (const line of lines) serve(JSON.parse(line));
}).on("end", () => { ${at("end")} });
function serve({ case: n, inputs, outputs }) {
  const folder = dirname(inputs);
  const bytes = fs.readFileSync(inputs);
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.subarray(8, 8 + length));
  const of = (name) => header[name].data_offsets.map((o) => 8 + length + o);
  const read = (name) => { const [b, e] = of(name); return new Float32Array(bytes.buffer.slice(bytes.byteOffset + b, bytes.byteOffset + e)); };
  const [a, b] = [read("a"), read("b")];
  const y = a.map((x, i) => x + b[i]);
  let text = JSON.stringify({ y: { dtype: "F32", shape: header.a.shape, data_offsets: [0, 4 * y.length] } });
  text += " ".repeat((8 - (text.length % 8)) % 8);
  const prefix = Buffer.alloc(8); prefix.writeBigUInt64LE(BigInt(text.length));
  ${at("before")}
  fs.writeFileSync(outputs, Buffer.concat([prefix, Buffer.from(text), Buffer.from(y.buffer)]));
  ${at("after")}
  fs.writeSync(1, JSON.stringify({ protocol: 2, case: n }) + "\\n");
  ${at("answered")}
}
`;
}

const says = (text: string): string => `fs.writeSync(1, ${JSON.stringify(`${text}\n`)});`;
const again = "fs.writeSync(1, JSON.stringify({ protocol: 2, case: n }) + '\\n');";

export const hostileProcesses: Readonly<Record<string, HostileProcess>> = {
  "is right": { place: "before", line: "", says: "harmless" },
  "removes its folder": {
    place: "after",
    line: "fs.rmSync(folder, { recursive: true });",
    says: /removed or replaced the folder/,
  },
  "removes its folder after its answer": {
    place: "answered",
    line: "fs.rmSync(folder, { recursive: true });",
    says: /removed or replaced the folder|ended with exit status 1/,
  },
  "replaces its folder": {
    place: "after",
    line: "fs.rmSync(folder, { recursive: true }); fs.symlinkSync('/tmp', folder);",
    says: /removed or replaced the folder/,
  },
  "locks its folder": { place: "after", line: "fs.chmodSync(folder, 0o500);", says: "harmless" },
  "changes its inputs": {
    place: "after",
    line: "fs.writeFileSync(inputs, Buffer.concat([bytes.subarray(0, -1), Buffer.from([1])]));",
    says: /its inputs file was changed/,
  },
  "lengthens its inputs": {
    place: "after",
    line: "fs.appendFileSync(inputs, 'x');",
    says: /its inputs file was changed/,
  },
  "removes its inputs": { place: "after", line: "fs.rmSync(inputs);", says: /its inputs file was changed/ },
  "puts a link in place of its inputs": {
    place: "after",
    line: "fs.renameSync(inputs, inputs + '.1'); fs.symlinkSync(inputs + '.1', inputs);",
    says: /its inputs file was changed/,
  },
  "leaves a pipe": {
    place: "after",
    line: "fs.rmSync(outputs); execFileSync('mkfifo', [outputs]);",
    says: /outputs file is a pipe/,
  },
  "leaves a link": {
    place: "after",
    line: "fs.renameSync(outputs, outputs + '.1'); fs.symlinkSync(outputs + '.1', outputs);",
    says: /outputs file is a link/,
  },
  "leaves a link to endless zeros": {
    place: "after",
    line: "fs.rmSync(outputs); fs.symlinkSync('/dev/zero', outputs);",
    says: /outputs file is a link/,
  },
  "leaves a folder": {
    place: "after",
    line: "fs.rmSync(outputs); fs.mkdirSync(outputs);",
    says: /outputs file is a folder/,
  },
  "leaves nothing": { place: "after", line: "fs.rmSync(outputs);", says: /answered without its outputs file/ },
  "leaves a hole of 50 GB": {
    place: "after",
    line: "fs.truncateSync(outputs, 50e9);",
    says: /outputs file has 50000000000 bytes, expected at most/,
  },
  "leaves a hole of 50 GB next to its outputs": {
    place: "after",
    line: "fs.writeFileSync(join(folder, 'hole'), ''); fs.truncateSync(join(folder, 'hole'), 50e9); fs.rmSync(outputs);",
    says: /answered without its outputs file/,
  },
  "writes a line before its answer": { place: "before", line: says("log"), says: /answered "log"|wrote "log"/ },
  "writes a line as it starts": { place: "start", line: says("hello"), says: /"hello"/ },
  "writes a line after its answer": { place: "answered", line: says("log"), says: /(wrote|answered) "log"/ },
  "writes a line a while after its answer": {
    place: "answered",
    line: `setTimeout(() => { ${says("log")} }, 100);`,
    says: /"log"/,
  },
  "writes a line at its end": { place: "end", line: says("bye"), says: /wrote "bye" to standard output/ },
  "writes half a line at its end": {
    place: "end",
    line: "fs.writeSync(1, 'bye');",
    says: /wrote "bye" to standard output/,
  },
  "answers twice": { place: "answered", line: again, says: /wrote "\{.*\}" to standard output|answered/ },
  "answers the next case too": {
    place: "answered",
    line: "fs.writeSync(1, JSON.stringify({ protocol: 2, case: n + 1 }) + '\\n');",
    says: /wrote "\{.*\}" to standard output|answered/,
  },
  "writes without end": {
    place: "before",
    line: "for (;;) try { fs.writeSync(1, 'x'.repeat(65536)); } catch {}",
    says: /without ending a line|printed more/,
  },
  "writes errors without end": {
    place: "before",
    line: "for (;;) try { fs.writeSync(2, 'x'.repeat(65536)); } catch {}",
    says: /printed more than/,
  },
  "closes its output": {
    place: "before",
    line: "fs.closeSync(1);",
    says: /ended with exit status|did not answer/,
    hangs: true,
  },
  "loops for ever": { place: "before", line: "for (;;);", says: /did not answer/, hangs: true },
  "ends with 0": { place: "before", line: "process.exit(0);", says: /ended with exit status 0/ },
  "ends its parent": {
    place: "before",
    line: "process.kill(process.ppid, 'SIGTERM'); for (;;);",
    says: /ended by SIGTERM|exit status 143/,
    hangs: true,
  },
  "ends its group": { place: "before", line: "process.kill(0, 'SIGKILL');", says: /ended by SIGKILL/ },
  "stays when it is to end": { place: "end", line: "setInterval(() => {}, 1000);", says: "harmless" },
  "leaves its group": {
    place: "after",
    line: "spawn('sleep', ['100100'], { detached: true, stdio: 'ignore' }).unref();",
    says: /left (a process|\d+ processes) running outside its group: sleep/,
  },
  "leaves its group twice over": {
    place: "start",
    line: "spawn('sh', ['-c', 'setsid sh -c \"sleep 100100 & sleep 100100 &\" &'], { detached: true, stdio: 'ignore' }).unref();",
    says: /left \d+ processes running outside its group: sleep/,
  },
  "leaves its group and its environment": {
    place: "after",
    line: "spawn('sleep', ['100100'], { detached: true, stdio: 'ignore', env: {} }).unref();",
    says: /left (a process|\d+ processes) running outside its group: sleep/,
  },
  "leaves its group and hangs": {
    place: "before",
    line: "spawn('sleep', ['100100'], { detached: true, stdio: 'ignore' }).unref(); for (;;);",
    says: /did not answer/,
    hangs: true,
  },
  "leaves its group without its environment": {
    place: "before",
    line: "spawn('sleep', ['100100'], { detached: true, stdio: 'ignore', env: {} }).unref(); for (;;);",
    says: /did not answer/,
    hangs: true,
  },
};
