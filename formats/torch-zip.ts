// The file that torch.save writes (torch/serialization.py): a zip of stored entries under one folder: data.pkl, the
// pickle, and data/<key>, the numbers of each storage.
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader } from "yauzl";
import { FormatError, quote } from "./error.ts";
import { type PickledStorage, type PickledTensor, storageTypes, unpickleTensors } from "./pickle.ts";
import { openInput, type InputFile } from "./input.ts";

const wanted = "a checkpoint by PyTorch";

/** The pickle of 65B takes a few hundred kB. */
const longestPickle = 2 ** 22;
/** Far more storages than any checkpoint has, and bytes of their names and comments. */
const mostEntries = 20_000;
const longestNames = 2 ** 22;

export interface TorchTensor extends PickledTensor {
  /** Where the storage's numbers begin in the file. */
  readonly position: number;
}

export interface TorchFile {
  readonly file: InputFile;
  /** By name. Each tensor lies within its storage, each storage within the file. */
  readonly tensors: ReadonlyMap<string, TorchTensor>;
}

/** An entry of a zip that is neither compressed nor encrypted. */
interface Stored {
  readonly position: number;
  readonly size: number;
}

/** Opens a file and reads its directory and its pickle. Throws FormatError. */
export async function openTorch(path: string): Promise<TorchFile> {
  const file = openInput(path, wanted);
  try {
    const zip = await openZip(file);
    const pickle = [...zip.names].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
    if (pickle.length !== 1)
      throw new FormatError(path, `has ${pickle.length} entries data.pkl, expected 1 in a folder`);
    const folder = pickle[0].slice(0, -"data.pkl".length);
    await checkByteOrder(zip, `${folder}byteorder`);
    const bytes = await zip.bytes(pickle[0], longestPickle);
    const storages = new Map<string, Stored>();
    const tensors = new Map<string, TorchTensor>();
    for (const [name, tensor] of unpickleTensors(path, bytes)) {
      const { storage } = tensor;
      const place = storages.get(storage.key) ?? (await zip.find(`${folder}data/${storage.key}`));
      storages.set(storage.key, place);
      checkInside(path, name, tensor, place);
      tensors.set(name, { ...tensor, position: place.position });
    }
    return { file, tensors };
  } catch (error) {
    file.close();
    throw error;
  }
}

async function checkByteOrder(zip: Zip, name: string): Promise<void> {
  if (!zip.names.has(name)) return; // such a file is older than this entry, hence little-endian
  const order = new TextDecoder().decode(await zip.bytes(name, 16));
  if (order !== "little") throw new FormatError(zip.path, `${name} says ${quote(order)}, expected "little"`);
}

// The last number that a tensor reaches is at offset + Σ (size − 1) · stride.
function checkInside(path: string, name: string, tensor: PickledTensor, place: Stored): void {
  const { storage, offset, shape, strides } = tensor;
  const bytes = storage.length * storageTypes[storage.type];
  if (bytes !== place.size) {
    throw new FormatError(
      path,
      `${quote(name)} has a storage of ${place.size} bytes, expected ${bytes}: ${of(storage)}`,
    );
  }
  const count = shape.reduce((product, length) => product * length, 1);
  let last = offset;
  for (const [axis, length] of shape.entries()) last += (length - 1) * strides[axis];
  const fits = count === 0 || (last < storage.length && count <= storage.length - offset);
  if (!fits || !isDense(shape, strides)) {
    throw new FormatError(
      path,
      `${quote(name)} has shape [${shape}], strides [${strides}] from ${offset} on, expected each element to have its own number in ${of(storage)}`,
    );
  }
}

function of({ type, length }: PickledStorage): string {
  return `${length} numbers of ${type}`;
}

/** Whether no two elements share a number: from the innermost axis outwards, each stride steps over everything within. */
function isDense(shape: readonly number[], strides: readonly number[]): boolean {
  if (shape.includes(0)) return true;
  const axes = shape.map((length, i) => ({ length, stride: strides[i] })).filter(({ length }) => length > 1);
  let reach = 1;
  for (const { length, stride } of axes.toSorted((a, b) => a.stride - b.stride)) {
    if (stride < reach) return false;
    reach += (length - 1) * stride;
  }
  return true;
}

/** Whether the numbers are one run, in row-major order. */
export function isContiguous({ shape, strides }: PickledTensor): boolean {
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] > 1 && strides[axis] !== stride) return false;
    stride *= shape[axis];
  }
  return true;
}

interface Zip {
  readonly path: string;
  readonly names: ReadonlySet<string>;
  find(name: string): Promise<Stored>;
  bytes(name: string, most: number): Promise<Uint8Array>;
}

type Entries = Map<string, Entry>;

// yauzl asks for ranges; input.ts refuses any that goes beyond the file's end.
class Reader extends RandomAccessReader {
  readonly file: InputFile;

  constructor(file: InputFile) {
    super();
    this.file = file;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    try {
      this.file.read(position, buffer.subarray(offset, offset + length));
    } catch (error) {
      callback(error as Error);
      return;
    }
    callback(null, length);
  }

  override close(callback: (error: Error | null) => void): void {
    callback(null);
  }
}

async function openZip(file: InputFile): Promise<Zip> {
  const { path } = file;
  const refuse = (error: unknown): never => {
    if (error instanceof FormatError) throw error;
    throw new FormatError(path, `is not a zip that can be read (${(error as Error).message}), expected ${wanted}`, {
      cause: error,
    });
  };
  const options = { lazyEntries: true, autoClose: false };
  const entries: Entries = new Map();
  let names = 0;
  const zip = await fromRandomAccessReaderPromise(new Reader(file), file.size, options).catch(refuse);
  try {
    for await (const entry of zip.eachEntry()) {
      if (entries.has(entry.fileName))
        throw new FormatError(path, `has two entries ${quote(entry.fileName)}, expected one`);
      if (entries.size === mostEntries) throw new FormatError(path, `has more than ${mostEntries} entries`);
      names += entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength;
      if (names > longestNames) throw new FormatError(path, `has entries whose names take over ${longestNames} bytes`);
      entries.set(entry.fileName, entry);
    }
  } catch (error) {
    refuse(error);
  }

  async function find(name: string): Promise<Stored> {
    const entry = entries.get(name);
    if (entry === undefined) throw new FormatError(path, `has no entry ${quote(name)}, expected one`);
    if (entry.compressionMethod !== 0 || entry.isEncrypted()) {
      throw new FormatError(path, `entry ${quote(name)} is compressed or encrypted, expected it stored as it is`);
    }
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true }).catch(refuse);
    return { position: fileDataStart, size: entry.uncompressedSize };
  }
  async function bytes(name: string, most: number): Promise<Uint8Array> {
    const { position, size } = await find(name);
    if (size > most)
      throw new FormatError(path, `entry ${quote(name)} is ${size} bytes long, expected at most ${most}`);
    const into = new Uint8Array(size);
    file.read(position, into);
    return into;
  }
  return { path, names: new Set(entries.keys()), find, bytes };
}
