// Files of a packed archive, unpacked into a folder of this user's. What lies there is used only if it is what was unpacked: its
// SHA-256 is recorded with it and compared each time, and whatever differs is unpacked again. Each file is replaced whole, with the
// same bytes by everyone, so processes that unpack at once, or are killed, leave nothing that the next one cannot use.
import { createHash, randomBytes } from "node:crypto";
import { lstat, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";

const RECORD = "sha256.json";
/** Milliseconds after which a file that somebody began to write is left over. */
const LEFT_OVER = 10 * 60 * 1000;

/** An archive's bytes and the files in it that are needed. */
export interface Archive {
  readonly path: string;
  readonly packed: Uint8Array;
  readonly files: readonly string[];
}

/** The folder below `cache`, named after the archive's bytes, in which its files lie whole; unpacked if they do not. */
export async function unpackedIn(cache: string, name: string, archive: Archive): Promise<string> {
  const folder = join(cache, `${name}-${sha256(archive.packed).slice(0, 16)}`);
  await makeCacheFolder(folder);
  for (const path of [cache, folder]) await checkOwner(path);
  if (await isWhole(folder, archive.files)) return folder;
  await removeLeftOvers(folder, archive.files);
  const contents = await unpacked(archive);
  for (const [file, content] of contents) await replace(join(folder, file), content);
  const hashes = Object.fromEntries([...contents].map(([file, content]) => [file, sha256(content)]));
  await replace(join(folder, RECORD), new TextEncoder().encode(JSON.stringify(hashes)));
  if (await isWhole(folder, archive.files)) return folder;
  throw new Error("the files that were written there are other ones when they are read");
}

/** Makes a folder and its parents, by hand: mkdir's `recursive` never returns below /proc, which refuses with ENOENT. */
export async function makeCacheFolder(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if (found?.isDirectory()) return;
  if (found === undefined && dirname(path) !== path) await makeCacheFolder(dirname(path));
  await mkdir(path, { mode: 0o700 }).catch(async (error: NodeJS.ErrnoException) => {
    // Another process may have been faster.
    if (error.code !== "EEXIST" || !(await stat(path)).isDirectory()) throw error;
  });
}

/** Throws Error for a folder in which another user could put a library: the temporary folder is everyone's. */
async function checkOwner(path: string): Promise<void> {
  const user = process.getuid!();
  for (const { uid, mode } of [await lstat(path), await stat(path)]) {
    if (uid !== user) throw new Error(`${path} belongs to user ${uid}, expected user ${user}`);
    // A link itself has every bit.
    if ((mode & 0o170000) === 0o040000 && (mode & 0o022) !== 0) {
      throw new Error(`${path} can be written by other users, expected only by user ${user}`);
    }
  }
}

async function isWhole(folder: string, files: readonly string[]): Promise<boolean> {
  try {
    const hashes = JSON.parse(String(await readPlain(join(folder, RECORD)))) as Record<string, unknown>;
    for (const file of files) if (sha256(await readPlain(join(folder, file))) !== hashes[file]) return false;
    return true;
  } catch {
    return false; // whatever is wrong with it, it is unpacked again
  }
}

async function readPlain(path: string): Promise<Uint8Array> {
  if (!(await lstat(path)).isFile()) throw new Error(`${path} is not a file`);
  return readFile(path);
}

/** The contents of the files. Throws Error, which names the archive. */
async function unpacked({ path, packed, files }: Archive): Promise<Map<string, Uint8Array>> {
  const { extract } = await import("tar-stream");
  const entries = extract();
  const contents = new Map<string, Uint8Array>();
  const reading = pipeline(Readable.from([packed]), createBrotliDecompress(), entries);
  reading.catch(() => {}); // awaited below, unless an entry fails first
  try {
    for await (const entry of entries) {
      const name = entry.header.name.replace(/^\.\//, "");
      if (files.includes(name)) contents.set(name, await buffer(entry));
      else entry.resume();
    }
    await reading;
  } catch (error) {
    throw new Error(`${path} is damaged (${(error as Error).message}), expected the file of the package`, {
      cause: error,
    });
  }
  const missing = files.filter((file) => !contents.has(file));
  if (missing.length > 0) throw new Error(`${path} holds no ${missing.join(", ")}`);
  return contents;
}

/** Writes a file under another name first, so that nobody ever sees a part of it. */
async function replace(path: string, content: Uint8Array): Promise<void> {
  const partial = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await writeFile(partial, content, { flag: "wx", mode: 0o700 });
    await rename(partial, path).catch(async () => {
      await rm(path, { recursive: true, force: true }); // a folder of that name
      await rename(partial, path);
    });
  } finally {
    await rm(partial, { force: true });
  }
}

/** Removes what processes that were killed had begun to write. */
async function removeLeftOvers(folder: string, files: readonly string[]): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name === RECORD || files.includes(name)) continue;
    const found = await lstat(join(folder, name)).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > LEFT_OVER) {
      await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
