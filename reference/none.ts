// A field of a row that is empty on purpose, with the reason. A row without the field does not compile.

/** Says that an op has none of something; made by `none`. */
export class None {
  /** One clause, which `touchstone ops --none` lists. */
  readonly why: string;

  constructor(why: string) {
    this.why = why;
  }
}

/** none("one operation: nothing is stored on the way"). Throws RangeError for an empty reason. */
export function none(why: string): None {
  if (why.trim() === "") throw new RangeError("none: expected a reason, got an empty one");
  return new None(why);
}

export function isNone(value: object): value is None {
  return value instanceof None;
}
