// An unpacked archive: whatever happened to the folder since, the files are what was packed, or the folder is refused.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { brotliCompressSync } from "node:zlib";
import { pack } from "tar-stream";
import { afterAll, expect, test } from "vitest";
import { type Archive, unpackedIn } from "../../kernels-gpu/device/cache.ts";

const scratch = mkdtempSync(join(tmpdir(), "touchstone-test-"));
afterAll(() => rmSync(scratch, { recursive: true }));
let caches = 0;
const freshCache = (): string => join(scratch, `cache-${caches++}`);

const contents: Readonly<Record<string, Uint8Array>> = {
  "driver.so": new Uint8Array(5000).map((_, i) => i % 251),
  "loader.so": Uint8Array.of(1, 2, 3),
  "manifest.json": new TextEncoder().encode("{}"),
};
const files = Object.keys(contents);

async function archiveOf(entries: Readonly<Record<string, Uint8Array>>): Promise<Archive> {
  const tar = pack();
  for (const [name, content] of Object.entries(entries)) tar.entry({ name: `./${name}` }, Buffer.from(content));
  tar.entry({ name: "unneeded" }, "x");
  tar.finalize();
  return { path: "archive.tar.br", packed: brotliCompressSync(await buffer(tar)), files };
}

const archive = await archiveOf(contents);
const open = (cache: string): Promise<string> => unpackedIn(cache, "name", archive);

function expectWhole(folder: string): void {
  for (const [name, content] of Object.entries(contents)) {
    expect(lstatSync(join(folder, name)).isFile(), name).toBe(true);
    expect(new Uint8Array(readFileSync(join(folder, name))), name).toEqual(content);
  }
}

const damages: Record<string, (folder: string) => void> = {
  "a file is cut": (folder) => truncateSync(join(folder, "driver.so"), 1000),
  "a file is empty": (folder) => truncateSync(join(folder, "driver.so"), 0),
  "a bit is another": (folder) => {
    const bytes = readFileSync(join(folder, "driver.so"));
    bytes[4321] ^= 1;
    writeFileSync(join(folder, "driver.so"), bytes);
  },
  "a file is gone": (folder) => rmSync(join(folder, "manifest.json")),
  "a file is a folder": (folder) => {
    rmSync(join(folder, "loader.so"));
    mkdirSync(join(folder, "loader.so", "deep"), { recursive: true });
  },
  "a file is a link to another": (folder) => {
    rmSync(join(folder, "loader.so"));
    symlinkSync(join(folder, "driver.so"), join(folder, "loader.so"));
  },
  "a file is a link to nothing": (folder) => {
    rmSync(join(folder, "loader.so"));
    symlinkSync("/nonexistent", join(folder, "loader.so"));
  },
  "a file is a FIFO": (folder) => {
    rmSync(join(folder, "loader.so"));
    execFileSync("mkfifo", [join(folder, "loader.so")]);
  },
  "the record is gone": (folder) => rmSync(join(folder, "sha256.json")),
  "the record is cut": (folder) => truncateSync(join(folder, "sha256.json"), 10),
  "the record is null": (folder) => writeFileSync(join(folder, "sha256.json"), "null"),
  "the record is a FIFO": (folder) => {
    rmSync(join(folder, "sha256.json"));
    execFileSync("mkfifo", [join(folder, "sha256.json")]);
  },
  "all is gone": (folder) => rmSync(folder, { recursive: true }),
};

test.each(Object.entries(damages))("%s: it is unpacked again", async (_, damage) => {
  const cache = freshCache();
  const folder = await open(cache);
  expectWhole(folder);
  damage(folder);
  expect(await open(cache)).toBe(folder);
  expectWhole(folder);
  expect(readdirSync(folder).toSorted()).toEqual([...files, "sha256.json"].toSorted());
});

test("what is whole is not written again", async () => {
  const cache = freshCache();
  const folder = await open(cache);
  const inodes = (): number[] => readdirSync(folder).map((name) => lstatSync(join(folder, name)).ino);
  const before = inodes();
  await open(cache);
  expect(inodes()).toEqual(before);
});

test("eight at once, in a folder that is damaged", async () => {
  const cache = freshCache();
  const folder = await open(cache);
  truncateSync(join(folder, "driver.so"), 7);
  const folders = await Promise.all(Array.from({ length: 8 }, () => open(cache)));
  expect(new Set(folders)).toEqual(new Set([folder]));
  expectWhole(folder);
  expect(readdirSync(folder)).toHaveLength(4);
});

test("what a killed process had begun is removed, and what another writes now is not", async () => {
  const cache = freshCache();
  const folder = await open(cache);
  const [old, recent] = ["driver.so.0123456789ab", "driver.so.ba9876543210"].map((name) => join(folder, name));
  for (const path of [old, recent]) writeFileSync(path, "part");
  const anHourAgo = Date.now() / 1000 - 3600;
  utimesSync(old, anHourAgo, anHourAgo);
  rmSync(join(folder, "driver.so"));
  await open(cache);
  expect([existsSync(old), existsSync(recent)]).toEqual([false, true]);
});

test("another archive has another folder", async () => {
  const cache = freshCache();
  const other = await archiveOf({ ...contents, "loader.so": Uint8Array.of(9) });
  expect(await unpackedIn(cache, "name", other)).not.toBe(await open(cache));
});

test("a damaged archive is named, and leaves nothing that counts as whole", async () => {
  const cut = { ...archive, packed: archive.packed.subarray(0, 60) };
  await expect(unpackedIn(freshCache(), "name", cut)).rejects.toThrow(/^archive\.tar\.br is damaged \(.*\), expected/);
  const { ["loader.so"]: _, ...rest } = contents;
  await expect(unpackedIn(freshCache(), "name", await archiveOf(rest))).rejects.toThrow(
    "archive.tar.br holds no loader.so",
  );
});

test("a folder that others can write is refused", async () => {
  const cache = freshCache();
  const folder = await open(cache);
  chmodSync(folder, 0o777);
  await expect(open(cache)).rejects.toThrow(`${folder} can be written by other users, expected only by user`);
  chmodSync(folder, 0o700);
  chmodSync(cache, 0o770);
  await expect(open(cache)).rejects.toThrow(`${cache} can be written by other users`);
});

test.skipIf(process.getuid!() !== 0)(
  "a folder, or a link, of another user is refused (where root runs this)",
  async () => {
    const cache = freshCache();
    const folder = await open(cache);
    chownSync(folder, 12345, 12345);
    await expect(open(cache)).rejects.toThrow(`${folder} belongs to user 12345, expected user 0`);
    const link = freshCache();
    symlinkSync(cache, link);
    execFileSync("chown", ["-h", "12345", link]);
    await expect(open(link)).rejects.toThrow(`${link} belongs to user 12345`);
  },
);

test("one's own link to a folder elsewhere is followed", async () => {
  const [cache, link] = [freshCache(), freshCache()];
  mkdirSync(cache, { mode: 0o700 });
  symlinkSync(cache, link);
  expectWhole(await open(link));
});
