// What the judge and a module's process say to each other, over pipes of their own:
//
//     frame = [ n : little-endian uint32 ] [ m : little-endian uint32 ] [ header : JSON, n bytes ] [ body : m bytes ]
//
// The module runs in the same realm as the code that reads and writes its frames, and may replace anything there: Array.prototype's
// methods, Float32Array's, JSON.stringify. So what is used here is taken before the module is loaded, and nothing is called through
// a prototype or iterated. A header that the module's side writes has no prototype either, which could hold a toJSON.

const { apply } = Reflect;
const { parse, stringify } = JSON;
const { min } = Math;
const Bytes = Uint8Array;
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array;
const { set } = typedArray;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const encode = encoder.encode.bind(encoder);
const decode = decoder.decode.bind(decoder);
const kind = getterOf(Symbol.toStringTag);
const count = getterOf("length");
const buffer = getterOf("buffer");
const byteOffset = getterOf("byteOffset");
const byteLength = getterOf("byteLength");

const PREFIX = 8;
/** A header is names, shapes and a message. */
const LONGEST_HEADER = 1 << 16;
const LONGEST_BODY = 2 ** 32 - 1;

/** Such as "Float32Array"; undefined for anything that is no typed array, such as a proxy of one. */
export function kindOf(value: unknown): string | undefined {
  return apply(kind, value, []) as string | undefined;
}

/** The number of elements of a typed array. One that is detached has none. */
export function countOf(array: object): number {
  return apply(count, array, []) as number;
}

/** The bytes of a typed array, in place. */
export function bytesOf(array: object): Uint8Array {
  return new Bytes(
    apply(buffer, array, []) as ArrayBuffer,
    apply(byteOffset, array, []) as number,
    apply(byteLength, array, []) as number,
  );
}

/** Some of the bytes, in place. */
export function part(bytes: Uint8Array, at: number, length: number): Uint8Array {
  const from = (apply(byteOffset, bytes, []) as number) + at;
  return new Bytes(apply(buffer, bytes, []) as ArrayBuffer, from, length);
}

/** Writes bytes into others. */
export function put(into: Uint8Array, bytes: Uint8Array, at = 0): void {
  apply(set, into, [bytes, at]);
}

/** A frame with room for a body of `bodyLength` bytes, and where the body begins. Throws RangeError for one that is too long. */
export function frame(header: object, bodyLength: number): { readonly bytes: Uint8Array; readonly body: number } {
  const text = encode(stringify(header));
  const length = countOf(text);
  if (length > LONGEST_HEADER) throw new RangeError(`a header has ${length} bytes, expected at most ${LONGEST_HEADER}`);
  if (bodyLength > LONGEST_BODY)
    throw new RangeError(`a body has ${bodyLength} bytes, expected at most ${LONGEST_BODY}`);
  const bytes = new Bytes(PREFIX + length + bodyLength);
  putLength(bytes, 0, length);
  putLength(bytes, 4, bodyLength);
  put(bytes, text, PREFIX);
  return { bytes, body: PREFIX + length };
}

/** Puts frames together from the pieces in which they arrive. */
export class FrameReader {
  /** The longest body that is taken now. */
  longest = LONGEST_BODY;
  private readonly take: (header: unknown, body: Uint8Array<ArrayBuffer>) => void;
  private readonly prefix = new Bytes(PREFIX);
  private header = new Bytes(0);
  private body = new Bytes(0);
  /** Bytes of the frame that are here. */
  private got = 0;

  constructor(take: (header: unknown, body: Uint8Array<ArrayBuffer>) => void) {
    this.take = take;
  }

  /** Throws RangeError for a frame that is too long, before there is room for it, and SyntaxError for a header that is no JSON. */
  push(piece: Uint8Array): void {
    const all = bytesOf(piece);
    const length = countOf(all);
    for (let at = 0; at < length;) at += this.fill(all, at, length);
  }

  /** Takes what belongs to one part of the frame; returns how many bytes that was. */
  private fill(all: Uint8Array, at: number, length: number): number {
    const bodyBegin = PREFIX + countOf(this.header);
    const begin = this.got < PREFIX ? 0 : this.got < bodyBegin ? PREFIX : bodyBegin;
    const into = this.got < PREFIX ? this.prefix : this.got < bodyBegin ? this.header : this.body;
    const taken = min(countOf(into) - (this.got - begin), length - at);
    put(into, part(all, at, taken), this.got - begin);
    this.got += taken;
    if (this.got === PREFIX) this.makeRoom();
    if (this.got === PREFIX + countOf(this.header) + countOf(this.body)) {
      const { header, body } = this;
      this.got = 0;
      this.header = new Bytes(0);
      this.body = new Bytes(0);
      this.take(parse(decode(header)), body);
    }
    return taken;
  }

  private makeRoom(): void {
    const header = lengthAt(this.prefix, 0);
    const body = lengthAt(this.prefix, 4);
    if (header > LONGEST_HEADER)
      throw new RangeError(`answered with ${header} bytes, expected at most ${LONGEST_HEADER}`);
    if (body > this.longest)
      throw new RangeError(`answered with ${body} bytes of numbers, expected at most ${this.longest}`);
    this.header = new Bytes(header);
    this.body = new Bytes(body);
  }
}

/** A little-endian uint32. */
function putLength(bytes: Uint8Array, at: number, length: number): void {
  for (let i = 0; i < 4; i++) bytes[at + i] = length / 2 ** (8 * i);
}

function lengthAt(bytes: Uint8Array, at: number): number {
  let length = 0;
  for (let i = 3; i >= 0; i--) length = 256 * length + bytes[at + i];
  return length;
}

function getterOf(name: string | symbol): (this: unknown) => unknown {
  return Object.getOwnPropertyDescriptor(typedArray, name)!.get!;
}
