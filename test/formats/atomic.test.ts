import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { writeAtomically } from "../../formats/atomic.ts";
import { writeFolderAtomically } from "../../formats/atomic-folder.ts";
import { bytesOf, readAt, writeAll } from "../../formats/bytes.ts";
import { FormatError } from "../../formats/error.ts";
import { thisProcess } from "../../formats/owner.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const old = "the earlier file";
let folder: string;
let path: string;

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "touchstone-atomic-"));
  path = join(folder, "checkpoint");
  fs.writeFileSync(path, old);
});

afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  fs.chmodSync(folder, 0o755);
  fs.rmSync(folder, { recursive: true });
});

const fill = (write: (bytes: Uint8Array) => void): void => write(text("x"));
const text = (s: string): Uint8Array => new TextEncoder().encode(s);

function failure(run: () => void): Error {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

function expectRefusal(error: Error, at: string, code: string): void {
  expect(error).toBeInstanceOf(FormatError);
  expect(error.message.startsWith(`${at}: `)).toBe(true);
  expect(error.message).toContain(`(${code})`);
  expect(error.message).not.toContain("\n");
}

function expectUntouched(): void {
  expect(fs.readFileSync(path, "utf8")).toBe(old);
  expect(fs.readdirSync(folder)).toEqual(["checkpoint"]);
}

/** A system call that fails as the operating system would, from its call number `from` on. */
function failing(call: "writeSync" | "fsyncSync" | "closeSync" | "renameSync", code: string, errno: number, from = 0) {
  const real = fs[call] as (...args: unknown[]) => unknown;
  let calls = 0;
  vi.spyOn(fs, call).mockImplementation((...args: unknown[]) => {
    const result = calls++ < from || call === "closeSync" ? real(...args) : undefined;
    if (calls > from) throw Object.assign(new Error(`${code}: ${call}`), { code, errno, syscall: call });
    return result as never;
  });
  syncBuiltinESMExports();
}

test("replaces the file with all that was written, and leaves nothing else", () => {
  writeAtomically(path, (write) => {
    write(text("one, "));
    write(new Uint8Array());
    write(text("two"));
    expect(fs.readFileSync(path, "utf8")).toBe(old);
  });
  expect(fs.readFileSync(path, "utf8")).toBe("one, two");
  expect(fs.readdirSync(folder)).toEqual(["checkpoint"]);
});

test("makes a new file, by a relative path too, and under the longest name", () => {
  const long = join(folder, "n".repeat(255));
  writeAtomically(long, fill);
  expect(fs.readFileSync(long, "utf8")).toBe("x");
  const before = process.cwd();
  try {
    process.chdir(folder);
    writeAtomically("relative", (write) => write(text("y")));
  } finally {
    process.chdir(before);
  }
  expect(fs.readFileSync(join(folder, "relative"), "utf8")).toBe("y");
});

test("an error in the middle of writing passes through unchanged; the earlier file stays", () => {
  const boom = new RangeError("boom");
  const error = failure(() =>
    writeAtomically(path, (write) => {
      write(text("half"));
      throw boom;
    }),
  );
  expect(error).toBe(boom);
  expectUntouched();
});

test.each([
  ["writeSync", "ENOSPC", -28, 1],
  ["fsyncSync", "EIO", -5, 0],
  ["closeSync", "EIO", -5, 0],
  ["renameSync", "EACCES", -13, 0],
] as const)("%s fails with %s: one line, and the earlier file stays", (call, code, errno, from) => {
  failing(call, code, errno, from);
  const error = failure(() =>
    writeAtomically(path, (write) => {
      write(text("one"));
      write(text("two"));
    }),
  );
  vi.restoreAllMocks();
  expectRefusal(error, path, code);
  expectUntouched();
});

test("a file size limit reached by a real process: one line, and the earlier file stays", (context) => {
  const size = 2 ** 20;
  const script = `
    import { writeSafetensors } from "./formats/safetensors.ts";
    try {
      const data = new Float32Array(${size});
      writeSafetensors(process.argv[1], new Map([["a", { data, shape: [${size}] }]]));
    } catch (error) {
      console.log(error.name + ": " + error.message);
    }`;
  const limited = 'ulimit -f 64 || exit 77; exec "$0" "$@"';
  const args = ["--import", "tsx", "--input-type=module", "-e", script, path];
  const child = spawnSync("sh", ["-c", limited, process.execPath, ...args], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, TSX_DISABLE_CACHE: "1" },
  });
  if (child.error !== undefined || child.status === 77) context.skip("no shell that can limit the size of files");
  expect(child.stderr).toBe("");
  expect(child.stdout).toBe(
    `FormatError: ${path}: cannot be written, file too large (EFBIG), expected room in a writable folder ${folder}\n`,
  );
  expectUntouched();
});

test("a full device: the raw writer reports it", (context) => {
  if (!fs.existsSync("/dev/full")) context.skip("no /dev/full here");
  const file = fs.openSync("/dev/full", "w");
  try {
    expect(failure(() => writeAll(file, text("x"))).message).toContain("ENOSPC");
  } finally {
    fs.closeSync(file);
  }
});

test("an unwritable folder", (context) => {
  const isRoot = process.getuid?.() === 0;
  if (isRoot && process.seteuid === undefined) context.skip("root in a thread, which nothing can refuse");
  fs.chmodSync(folder, 0o555);
  const nobody = 65534;
  if (isRoot) process.seteuid?.(nobody);
  let error: Error;
  try {
    error = failure(() => writeAtomically(path, fill));
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
  expectRefusal(error, path, "EACCES");
  expectUntouched();
});

test("a missing folder, a file where a folder is expected, a folder", () => {
  const missing = join(folder, "missing", "file");
  expectRefusal(
    failure(() => writeAtomically(missing, fill)),
    missing,
    "ENOENT",
  );
  const below = join(path, "file");
  expectRefusal(
    failure(() => writeAtomically(below, fill)),
    below,
    "ENOTDIR",
  );
  expectRefusal(
    failure(() => writeAtomically(folder, fill)),
    folder,
    "EISDIR",
  );
  expectUntouched();
});

// A pipe of the test's own stands for every special file: with a system's device, a fault in the guard would lose it.
test("what is not a regular file is never replaced", (context) => {
  const pipe = join(folder, "pipe");
  if (spawnSync("mkfifo", [pipe]).status !== 0) context.skip("no mkfifo here");
  expect(failure(() => writeAtomically(pipe, fill)).message).toBe(
    `${pipe}: cannot be written, it is a device or a pipe, expected a regular file or a free name`,
  );
  expect(fs.statSync(pipe).isFIFO()).toBe(true);
});

test("a symbolic link stays, and the file behind it is replaced", () => {
  const link = join(folder, "link");
  fs.symlinkSync("checkpoint", link);
  writeAtomically(link, (write) => write(text("new")));
  expect(fs.readlinkSync(link)).toBe("checkpoint");
  expect(fs.readFileSync(path, "utf8")).toBe("new");
});

test("a link whose target is not there yet stays too; one that leads to itself is refused", () => {
  const links = ["a", "b"].map((name) => join(folder, name));
  fs.mkdirSync(join(folder, "far"));
  fs.symlinkSync("b", links[0]);
  fs.symlinkSync("far/made", links[1]);
  writeAtomically(links[0], fill);
  expect(fs.readFileSync(join(folder, "far", "made"), "utf8")).toBe("x");
  expect(links.map((link) => fs.readlinkSync(link))).toEqual(["b", "far/made"]);
  const loop = join(folder, "loop");
  fs.symlinkSync("loop", loop);
  expect(failure(() => writeAtomically(loop, fill)).message).toMatch(/^\S*loop: .*expected /);
});

test("mode and owner of a replaced file stay; another name of it keeps the earlier contents", (context) => {
  fs.chmodSync(path, 0o640);
  const other = join(folder, "other");
  fs.linkSync(path, other);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) fs.chownSync(path, 1234, 1235);
  writeAtomically(path, fill);
  const { mode, uid, gid } = fs.statSync(path);
  expect(mode & 0o777).toBe(0o640);
  expect(fs.readFileSync(other, "utf8")).toBe(old);
  if (!isRoot) context.skip("only root may give a file away");
  expect([uid, gid]).toEqual([1234, 1235]);
});

test("a folder's link and mode stay", () => {
  const [empty, link] = ["empty", "link"].map((name) => join(folder, name));
  fs.mkdirSync(empty);
  fs.chmodSync(empty, 0o2750);
  fs.symlinkSync("empty", link);
  writeFolderAtomically(link, (at) => fs.writeFileSync(join(at, "file"), "x"));
  expect(fs.readdirSync(empty)).toEqual(["file"]);
  expect(fs.statSync(empty).mode & 0o7777).toBe(0o2750);
  expect(fs.readlinkSync(link)).toBe("empty");
});

test("what a killed process left next to a file goes with the next one that is written there", () => {
  const { host } = thisProcess();
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  const left = [`.touchstone-${host}-${dead}-1-0123456789ab`, `.touchstone-elsewhere-${dead}-1-0123456789ab`];
  for (const name of left) fs.mkdirSync(join(folder, name));
  writeAtomically(path, fill);
  expect(fs.readdirSync(folder).toSorted()).toEqual([left[1], "checkpoint"]);
});

test("short writes and short reads go on where they stopped", () => {
  const real = { readSync: fs.readSync, writeSync: fs.writeSync } as Record<string, (...args: unknown[]) => number>;
  for (const call of ["readSync", "writeSync"] as const) {
    vi.spyOn(fs, call).mockImplementation(((file: number, bytes: Uint8Array, at: number, count: number, ...rest: []) =>
      real[call](file, bytes, at, Math.min(count, 3), ...rest)) as never);
  }
  syncBuiltinESMExports();
  const file = fs.openSync(join(folder, "short"), "w+");
  writeAll(file, text("0123456789"));
  const into = new Uint8Array(12);
  expect(readAt(file, 1, into)).toBe(9);
  expect(new TextDecoder().decode(into)).toBe("123456789\0\0\0");
  fs.closeSync(file);
});

test("bytes of shared memory can be written", () => {
  const data = new Float32Array(new SharedArrayBuffer(8), 4, 1).fill(1);
  writeAtomically(path, (write) => write(bytesOf(data)));
  expect([...fs.readFileSync(path)]).toEqual([0, 0, 0x80, 0x3f]);
});

test("what cannot be written in a new folder is named by the folder's own name", () => {
  const place = join(folder, "new");
  const refused = failure(() =>
    writeFolderAtomically(place, (at) => {
      fs.mkdirSync(join(at, "file"));
      writeAtomically(join(at, "file"), fill);
    }),
  );
  expect(refused).toBeInstanceOf(FormatError);
  expect(refused.message).toMatch(/^\S+\/new\/file: cannot be written, /);
  expect(refused.message).not.toMatch(/\.touchstone-/);
  expect(fs.readdirSync(folder)).toEqual(["checkpoint"]);
});
