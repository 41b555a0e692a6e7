// The process of a module: loads it, runs its function on what the judge sends, and sends back what came out.
//
//   descriptor 3   requests; their end asks the process to end
//   descriptor 4   answers
//   descriptor 5   a word from the watch, where it ends the process
//
// What the module prints goes to standard output and standard error, and is no answer. Nothing here keeps a module from lying: its
// outputs are judged whatever they are. What it breaks here is its own process.
import { writeSync } from "node:fs";
import { Socket } from "node:net";
import { changedOf, inputsOf, listOf, outputsOf } from "./module-tensors.ts";
import type { Hosted, Load, Refused, Request, Run } from "./module-wire.ts";
import { thrownLine } from "./result.ts";
import { isUnsupported } from "./unsupported.ts";
import { startWatch } from "./watch.ts";
import { countOf, frame, FrameReader, put } from "./wire.ts";

// Taken before the module is loaded, which may replace them.
const write = writeSync;
const exit = process.exit.bind(process);
const later = setImmediate;

let compute: ((inputs: object, scalars: object) => unknown) | undefined;
let hosted: Hosted | undefined;

const requests = new Socket({ fd: 3, readable: true, writable: false });
const reader = new FrameReader((header, body) => {
  const request = header as Request;
  void (request.kind === "load" ? load(request) : request.kind === "run" ? run(request, body) : races(request, body));
});
requests.on("data", (piece) => reader.push(piece));
requests.on("end", () =>
  later(() => {
    send({ kind: "ends" });
    exit(0);
  }),
);
process.on("uncaughtException", (thrown) => {
  send({ kind: "stray", message: thrownLine(thrown) });
  exit(1);
});
startWatch(Number(process.argv[2]), Number(process.argv[3]));

async function load({ url, host, terms }: Load): Promise<void> {
  let by: Refused["by"] = "import";
  try {
    const exported: unknown = ((await import(url)) as { readonly default?: unknown }).default;
    by = "export";
    if (host !== undefined && isDeclaration(exported)) {
      by = "host";
      const opened = (await import(host)) as { readonly host: (exported: unknown, terms: unknown) => Promise<Hosted> };
      hosted = await opened.host(exported, terms);
      send({ kind: "loaded", where: hosted.where });
    } else if (typeof exported === "function") {
      compute = exported as typeof compute;
      send({ kind: "loaded" });
    } else send({ kind: "refused", by, message: exported == null ? "none" : typeof exported });
  } catch (thrown) {
    send({ kind: "refused", by, message: thrownLine(thrown), code: codeOf(thrown) });
  }
}

function isDeclaration(exported: unknown): boolean {
  return typeof (exported as { readonly record?: unknown } | null | undefined)?.record === "function";
}

/** Node's code of an error. */
function codeOf(thrown: unknown): string | undefined {
  try {
    const { code } = (thrown ?? {}) as { readonly code?: unknown };
    return typeof code === "string" ? code : undefined;
  } catch {
    return undefined;
  }
}

async function run(request: Run, body: Uint8Array): Promise<void> {
  try {
    const inputs = inputsOf(request, body);
    let complaints: readonly string[] = listOf();
    let returned: unknown;
    if (hosted === undefined) returned = await compute!(inputs.given, request.scalars);
    else ({ outputs: returned, complaints } = await hosted.run(inputs.given, request.scalars));
    const { described, numbers } = outputsOf(request, returned);
    send({ kind: "ran", outputs: described, changed: changedOf(request, body, inputs), complaints }, numbers);
  } catch (thrown) {
    const isRefusal = isUnsupported(thrown);
    send({ kind: "threw", message: thrownLine(thrown), isSpent: hosted?.isSpent() === true, isRefusal });
  }
}

async function races(request: Run, body: Uint8Array): Promise<void> {
  try {
    const report = await hosted!.races(inputsOf(request, body).given, request.scalars);
    send({ kind: "raced", report });
  } catch (thrown) {
    send({ kind: "threw", message: thrownLine(thrown), isSpent: false, isRefusal: false });
  }
}

/** Waits until the judge has read it. */
function send(header: object, numbers: readonly Uint8Array[] = listOf()): void {
  let length = 0;
  for (let i = 0; i < numbers.length; i++) length += countOf(numbers[i]);
  const { bytes, body } = frame({ __proto__: null, ...header }, length);
  for (let i = 0, at = body; i < numbers.length; i++) {
    put(bytes, numbers[i], at);
    at += countOf(numbers[i]);
  }
  for (let at = 0; at < countOf(bytes);) at += write(4, bytes, at);
}
