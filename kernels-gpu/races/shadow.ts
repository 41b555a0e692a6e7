// Who has touched a word of memory, and which two accesses of it are ordered by nothing.
//
// Two accesses race if they touch the same word, come from different invocations, at least one of them writes, they are not
// both atomic, and no barrier that acts on this memory comes between them (WGSL 14.5; happens-before by barrier intervals, as GPUVerify
// and Oclgrind do it). Barriers order nothing between workgroups. Atomic accesses are not followed: WGSL has no others to the
// same memory.

/** One side of a race. */
export interface Access {
  readonly line: number;
  readonly isWrite: boolean;
  readonly workgroup: number;
  /** Its index within the workgroup. */
  readonly invocation: number;
}

/** Two accesses of a word that nothing orders. */
export interface Conflict {
  readonly word: number;
  /** Of the memory; undefined where the accesses come from two workgroups. */
  readonly interval: number | undefined;
  readonly first: Access;
  readonly second: Access;
}

interface Mark {
  readonly who: number;
  readonly invocation: number;
  readonly line: number;
}

/** Where the accesses of one kind came from: of each word the first in an interval, or the first of anyone else. */
class Marks {
  readonly #interval: Int32Array;
  readonly #who: Int32Array;
  readonly #invocation: Int32Array;
  readonly #line: Int32Array;

  constructor(words: number) {
    this.#interval = new Int32Array(words).fill(-1);
    this.#who = new Int32Array(words);
    this.#invocation = new Int32Array(words);
    this.#line = new Int32Array(words);
  }

  isOf(word: number, interval: number): boolean {
    return this.#interval[word] === interval;
  }

  isOthers(word: number, interval: number, who: number): boolean {
    return this.#interval[word] === interval && this.#who[word] !== who;
  }

  set(word: number, interval: number, who: number, invocation: number, line: number): void {
    this.#interval[word] = interval;
    this.#who[word] = who;
    this.#invocation[word] = invocation;
    this.#line[word] = line;
  }

  at(word: number): Mark {
    return { who: this.#who[word]!, invocation: this.#invocation[word]!, line: this.#line[word]! };
  }
}

/** The reads or the writes of a memory. Two of a word tell whether anyone else was there, whoever asks. */
class Accesses {
  readonly #first: Marks;
  readonly #other: Marks;

  constructor(words: number) {
    this.#first = new Marks(words);
    this.#other = new Marks(words);
  }

  add(word: number, interval: number, who: number, invocation: number, line: number): void {
    if (!this.#first.isOf(word, interval)) this.#first.set(word, interval, who, invocation, line);
    else if (this.#first.isOthers(word, interval, who) && !this.#other.isOf(word, interval)) {
      this.#other.set(word, interval, who, invocation, line);
    }
  }

  ofOthers(word: number, interval: number, who: number): Mark | undefined {
    if (this.#first.isOthers(word, interval, who)) return this.#first.at(word);
    return this.#other.isOthers(word, interval, who) ? this.#other.at(word) : undefined;
  }
}

interface Both {
  readonly reads: Accesses;
  readonly writes: Accesses;
}

const MOST_REPORTED = 4;

export class Shadow {
  readonly conflicts: Conflict[] = [];
  readonly #within: Both;
  /** Undefined where no other workgroup sees the memory. */
  readonly #among: Both | undefined;
  readonly #seen = new Set<string>();

  constructor(words: number, isShared: boolean) {
    const both = (): Both => ({ reads: new Accesses(words), writes: new Accesses(words) });
    this.#within = both();
    this.#among = isShared ? both() : undefined;
  }

  /** `interval` counts the barriers that acted on this memory. */
  note(word: number, isWrite: boolean, line: number, workgroup: number, invocation: number, interval: number): void {
    const within = this.#meet(this.#within, word, isWrite, line, interval, invocation, invocation);
    if (within !== undefined)
      this.#report(word, interval, { ...within, workgroup }, { line, isWrite, workgroup, invocation });
    if (this.#among === undefined) return;
    // Among workgroups a dispatch is one interval.
    const among = this.#meet(this.#among, word, isWrite, line, 0, workgroup, invocation);
    if (among !== undefined)
      this.#report(word, undefined, { ...among, workgroup: among.who }, { line, isWrite, workgroup, invocation });
  }

  /** Adds an access, and returns the earlier one of someone else that nothing orders against it. */
  #meet(
    { reads, writes }: Both,
    word: number,
    isWrite: boolean,
    line: number,
    interval: number,
    who: number,
    invocation: number,
  ): (Mark & { readonly isWrite: boolean }) | undefined {
    const written = writes.ofOthers(word, interval, who);
    const read = isWrite && written === undefined ? reads.ofOthers(word, interval, who) : undefined;
    (isWrite ? writes : reads).add(word, interval, who, invocation, line);
    if (written !== undefined) return { ...written, isWrite: true };
    return read && { ...read, isWrite: false };
  }

  /** One of each two lines is enough. */
  #report(
    word: number,
    interval: number | undefined,
    { line, isWrite, workgroup, invocation }: Access,
    second: Access,
  ): void {
    const key = `${line} ${second.line} ${workgroup === second.workgroup}`;
    if (this.#seen.has(key) || this.conflicts.length === MOST_REPORTED) return;
    this.#seen.add(key);
    this.conflicts.push({ word, interval, first: { line, isWrite, workgroup, invocation }, second });
  }
}
