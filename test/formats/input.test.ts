// Every input is opened in one way: a regular file, without waiting, within a size of its own.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { FormatError } from "../../formats/error.ts";
import { openInput, readBytes, readJson, readText, sha256Of } from "../../formats/input.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone-input-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

function refusal(path: string, most?: number): string {
  try {
    openInput(path, "a letter", most).close();
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    const { message } = error as FormatError;
    expect(message).not.toMatch(/[\n\0]/);
    return message;
  }
  return "";
}

test("sha256Of hashes a file part by part", () => {
  const bytes = new Uint8Array(2 ** 21 + 5).map((_, i) => i * i);
  for (const length of [0, 1, 2 ** 20, bytes.length]) {
    writeFileSync(at("hashed"), bytes.subarray(0, length));
    expect(sha256Of(at("hashed"))).toBe(createHash("sha256").update(bytes.subarray(0, length)).digest("hex"));
  }
});

describe("openInput", () => {
  test("reads a file by range, and through a link", () => {
    writeFileSync(at("letter"), "Dear all");
    symlinkSync(at("letter"), at("link"));
    for (const name of ["letter", "link"]) {
      const file = openInput(at(name), "a letter", 8);
      const into = new Uint8Array(3);
      file.read(5, into);
      expect([file.size, String.fromCharCode(...into)]).toEqual([8, "all"]);
      expect(() => file.read(6, into)).toThrow("is 8 bytes long, expected 3 bytes from byte 6 on");
      expect(() => file.read(NaN, into)).toThrow("from byte NaN on");
      file.close();
      file.close();
      expect(() => file.read(0, into)).toThrow("is closed");
    }
    expect(readText(at("link"), "a letter", 8)).toBe("Dear all");
  });

  test("refuses whatever is not a regular file, at once", async () => {
    execFileSync("mkfifo", [at("pipe")]);
    symlinkSync(at("pipe"), at("link to a pipe"));
    symlinkSync(at("circle"), at("circle"));
    mkdirSync(at("folder"));
    const server = createServer().listen(at("socket"));
    await new Promise((resolve) => server.once("listening", resolve));
    expect(refusal(at("pipe"))).toBe(`${at("pipe")}: is not a regular file but a pipe, expected a letter`);
    expect(refusal(at("link to a pipe"))).toContain("is not a regular file but a pipe, expected a letter");
    expect(refusal(at("folder"))).toContain("is not a regular file but a folder, expected a letter");
    for (const device of ["/dev/zero", "/dev/null", "/dev/urandom"]) {
      expect(refusal(device)).toBe(`${device}: is not a regular file but a device, expected a letter`);
    }
    expect(refusal(at("socket"))).toMatch(/socket: cannot be read, .* \(ENXIO\), expected a letter$/);
    expect(refusal(at("circle"))).toMatch(/\(ELOOP\), expected a letter$/);
    server.close();
  });

  test("refuses a name that no file can have", () => {
    expect(refusal(at("none"))).toMatch(
      /none: cannot be read, no such file or directory \(ENOENT\), expected a letter$/,
    );
    expect(refusal("")).toMatch(/\(ENOENT\)/);
    expect(refusal(at("a\0b"))).toMatch(
      /a\\u0000b: cannot be read, its name holds a NUL character, expected a letter$/,
    );
    expect(refusal(at("x".repeat(10_000)))).toMatch(/\(ENAMETOOLONG\)/);
    expect(refusal(join(at("letter"), "below"))).toMatch(/\(ENOTDIR\)/);
    for (const path of [0, undefined, null, {}]) expect(() => openInput(path as string, "a letter")).toThrow(TypeError);
  });

  test("refuses a file that is longer than its kind, before anything is read", () => {
    writeFileSync(at("sparse"), "");
    truncateSync(at("sparse"), 2 ** 43);
    expect(refusal(at("sparse"), 2 ** 20)).toMatch(
      /sparse: is 8796093022208 bytes long, expected a letter, at most 1048576 bytes$/,
    );
    for (const read of [readBytes, readText, readJson]) {
      expect(() => read(at("sparse"), "a letter", 2 ** 20)).toThrow("at most 1048576 bytes");
    }
  });

  test("a file that shrinks while it is open is an error, never zeros", () => {
    writeFileSync(at("shrinks"), "12345678");
    const file = openInput(at("shrinks"), "a letter");
    truncateSync(at("shrinks"), 3);
    expect(() => file.read(0, new Uint8Array(8))).toThrow("ends at byte 3, expected 8: it has shrunk");
    file.close();
  });

  test("text is UTF-8, JSON is JSON", () => {
    writeFileSync(at("bytes"), Uint8Array.of(0xff));
    expect(() => readText(at("bytes"), "a letter", 8)).toThrow(`${at("bytes")}: is not UTF-8, expected a letter`);
    writeFileSync(at("json"), "{");
    expect(() => readJson(at("json"), "a letter", 8)).toThrow(/json: is not JSON \(.*\), expected a letter$/);
  });
});
