// Modules of every hostile kind. Each is right, apart from what its line does.

/** When it happens: as the module loads, in a call before or after the right outputs are computed. */
type Place = "load" | "before" | "after";

export interface HostileModule {
  readonly place: Place;
  readonly line: string;
  /** What must be said: of a case or at the close; "harmless" where the candidate is still right; of loading where it cannot be loaded. */
  readonly says: RegExp | "harmless";
  /** Seconds within which it hangs, where it does. */
  readonly hangs?: boolean;
}

const right = `
const { exp } = Math;
const rightly = ({ gate, up }) => ({ y: { data: gate.data.map((z, i) => (z / (1 + exp(-z))) * up.data[i]), shape: gate.shape } });
`;

/** The text of a module for swiglu.forward, which does it in every call, or from the second on. */
export function moduleText({ place, line }: HostileModule): string {
  const [load, before, after] = (["load", "before", "after"] as const).map((at) => (at === place ? line : ""));
  return `import fs from "node:fs"; import { spawn } from "node:child_process"; import { Worker } from "node:worker_threads"; ${right}
${load}
export default async (inputs, scalars) => {
  ${before}
  let outputs = rightly(inputs);
  ${after}
  return outputs;
};
`;
}

export const hostileModules: Readonly<Record<string, HostileModule>> = {
  "exits with 0": { place: "before", line: "process.exit(0);", says: /ended with exit status 0/ },
  "exits with 0 after its answer": {
    place: "before",
    line: "setImmediate(() => process.exit(0));",
    says: /ended with exit status 0/,
  },
  "never settles": {
    place: "before",
    line: "await new Promise(() => {});",
    says: /did not answer within/,
    hangs: true,
  },
  "loops for ever": { place: "before", line: "for (;;);", says: /did not answer within/, hangs: true },
  "loops in a microtask": {
    place: "before",
    line: "const again = () => Promise.resolve().then(again); again(); await new Promise(() => {});",
    says: /did not answer within|occupied more than/,
    hangs: true,
  },
  "rejects astray": {
    place: "before",
    line: 'void Promise.reject(new Error("astray"));',
    says: /threw outside a call: astray/,
  },
  "rejects astray with null": { place: "before", line: "void Promise.reject(null);", says: /threw outside a call/ },
  "throws in a timer after its answer": {
    place: "after",
    line: 'setTimeout(() => { throw new Error("late"); });',
    says: /threw outside a call: late/,
  },
  "throws null": { place: "before", line: "throw null;", says: /failed: threw null/ },
  "throws what cannot be read": {
    place: "before",
    line: "throw { toString() { throw 1; }, get message() { throw 2; } };",
    says: /failed: threw an object that cannot be read/,
  },
  "throws a proxy": {
    place: "before",
    line: "throw new Proxy({}, { get() { throw null; } });",
    says: /threw an object that cannot be read/,
  },
  "writes to an input": { place: "after", line: "inputs.gate.data[0] += 1;", says: /input gate was changed/ },
  "detaches an input": {
    place: "after",
    line: "structuredClone(0, { transfer: [inputs.gate.data.buffer] });",
    says: /input gate was changed/,
  },
  "deletes an input": { place: "after", line: "delete inputs.up;", says: /input up was changed/ },
  "reshapes an input": { place: "after", line: "inputs.up.shape.length = 0;", says: /input up was changed/ },
  "replaces an input": {
    place: "after",
    line: "inputs.up.data = inputs.up.data.slice();",
    says: /input up was changed/,
  },
  "leaves a getter for an input": {
    place: "after",
    line: 'Object.defineProperty(inputs, "up", { get() { throw null; } });',
    says: /input up was changed/,
  },
  "freezes everything": {
    place: "load",
    line: "for (const one of [Object, Array, Float32Array, Promise, Function, JSON, Math, Uint8Array, Buffer]) { Object.freeze(one); Object.freeze(one.prototype); }",
    says: "harmless",
  },
  "returns frozen outputs": {
    place: "after",
    line: "outputs = Object.freeze({ y: Object.freeze({ ...outputs.y, shape: Object.freeze([...outputs.y.shape]) }) });",
    says: "harmless",
  },
  "returns a getter that changes": {
    place: "after",
    line: "const { y } = outputs; let looks = 0; outputs = { get y() { return looks++ === 0 ? y : null; } };",
    says: "harmless",
  },
  "returns a proxy of numbers": {
    place: "after",
    line: "outputs.y = { ...outputs.y, data: new Proxy(outputs.y.data, {}) };",
    says: /returned y as object, expected/,
  },
  "returns shared memory": {
    place: "after",
    line: "const shared = new Float32Array(new SharedArrayBuffer(outputs.y.data.byteLength)); shared.set(outputs.y.data); outputs = { y: { data: shared, shape: outputs.y.shape } };",
    says: "harmless",
  },
  "returns a detached output": {
    place: "after",
    line: "structuredClone(0, { transfer: [outputs.y.data.buffer] });",
    says: /returned y with 0 numbers/,
  },
  "returns a huge output": {
    place: "after",
    line: "outputs.y.data = new Float32Array(2 ** 26);",
    says: /returned y with 67108864 numbers/,
  },
  "returns a shape of a million axes": {
    place: "after",
    line: "outputs.y.shape = Array(1e6).fill(1);",
    says: /returned y as Float32Array|shape/,
  },
  "returns nothing": { place: "after", line: "outputs = undefined;", says: /returned y as nothing/ },
  "throws an endless message": {
    place: "before",
    line: 'throw new Error("x".repeat(1e8));',
    says: /failed: xxx/,
  },
  "replaces Math.abs": { place: "load", line: "Math.abs = Math.sqrt = Math.max = () => 0;", says: "harmless" },
  "replaces what it is run with": {
    place: "load",
    line: `for (const of of [Array.prototype, Float32Array.prototype, Object.getPrototypeOf(Float32Array.prototype), Uint8Array.prototype, String.prototype, Map.prototype])
  for (const key of Reflect.ownKeys(of)) if (key !== "constructor" && key !== "map" && typeof Object.getOwnPropertyDescriptor(of, key).value === "function") try { of[key] = () => 0; } catch {}
JSON.stringify = JSON.parse = Reflect.apply = fs.writeSync = process.exit = globalThis.Promise = globalThis.Uint8Array = globalThis.setImmediate = () => 0;
Array.isArray = () => false;`,
    says: /./,
  },
  "teaches everything toJSON": {
    place: "load",
    line: 'Object.prototype.toJSON = Array.prototype.toJSON = () => "mine";',
    says: "harmless",
  },
  "prints without end": {
    place: "before",
    line: 'const text = "x".repeat(1e6); for (;;) try { fs.writeSync(1, text); } catch {}',
    says: /printed more than/,
  },
  "prints lines that look like answers": {
    place: "before",
    line: 'console.log(\'{"protocol":2,"case":1}\'); console.error("\\u001b[2J");',
    says: "harmless",
  },
  "fills its heap": {
    place: "before",
    line: "const all = []; for (;;) all.push(Array(1e6).fill(1.5));",
    says: /occupied more than 512 MB/,
  },
  "fills memory off its heap": {
    place: "before",
    line: "const all = []; for (;;) all.push(new Float64Array(1e7).fill(1));",
    says: /occupied more than 512 MB/,
  },
  aborts: { place: "before", line: "process.abort();", says: /ended by SIGABRT/ },
  "kills itself": { place: "before", line: 'process.kill(process.pid, "SIGKILL");', says: /ended by SIGKILL/ },
  "ends its parent": {
    place: "before",
    line: 'process.kill(process.ppid, "SIGTERM"); await new Promise(() => {});',
    says: /ended by SIGTERM/,
  },
  "closes its descriptors": {
    place: "before",
    line: "for (const fd of [0, 1, 2, 3, 4, 5]) try { fs.closeSync(fd); } catch {}",
    says: /ended|did not answer|abort/,
    hangs: true,
  },
  "closes its standard output": {
    place: "before",
    line: "process.stdout.destroy(); process.stderr.destroy();",
    says: "harmless",
  },
  disconnects: { place: "before", line: "process.disconnect();", says: /process.disconnect is not a function/ },
  "answers by itself": {
    place: "before",
    line: "fs.writeSync(4, Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d]));",
    says: /answered/,
  },
  "answers gigabytes by itself": {
    place: "before",
    line: "fs.writeSync(4, Buffer.from([2, 0, 0, 0, 0, 0, 0, 0x80, 0x7b, 0x7d]));",
    says: /answered with 2147483648 bytes/,
  },
  "leaves a worker running": {
    place: "after",
    line: 'new Worker("for (;;);", { eval: true });',
    says: "harmless",
  },
  "leaves a process running": {
    place: "after",
    line: 'spawn("sleep", ["100100"], { stdio: "ignore" }).unref();',
    says: "harmless",
  },
  "leaves a process running outside its group": {
    place: "after",
    line: 'spawn("sleep", ["100100"], { stdio: "ignore", detached: true }).unref();',
    says: /left (a process|\d+ processes) running outside its group: sleep/,
  },
  "leaves a process running outside its group and its environment": {
    place: "after",
    line: 'spawn("sleep", ["100100"], { stdio: "ignore", detached: true, env: {} }).unref();',
    says: /left (a process|\d+ processes) running outside its group: sleep/,
  },
  "loops when it is to end": {
    place: "load",
    line: 'process.on("exit", () => { for (;;); });',
    says: /did not end within/,
    hangs: true,
  },
};

/** Modules that cannot be loaded: bad input, in one line. */
export const badModules: Readonly<Record<string, HostileModule>> = {
  "exits as it loads": {
    place: "load",
    line: "process.exit(0);",
    says: /ended with exit status 0 while it was loaded/,
  },
  "loops as it loads": {
    place: "load",
    line: "for (;;);",
    says: /did not answer within .* while it was loaded/,
    hangs: true,
  },
  "never finishes loading": {
    place: "load",
    line: "await new Promise(() => {});",
    says: /did not answer within .* while it was loaded/,
    hangs: true,
  },
  "throws as it loads": {
    place: "load",
    line: 'throw new Error("a\\nb");',
    says: /cannot be loaded \(a b\), expected a module/,
  },
  "throws null as it loads": {
    place: "load",
    line: "throw null;",
    says: /cannot be loaded \(threw null\), expected a module/,
  },
  "rejects astray as it loads": {
    place: "load",
    line: 'void Promise.reject(new Error("astray")); await new Promise(() => {});',
    says: /threw outside a call: astray/,
  },
};
