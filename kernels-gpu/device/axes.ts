// Axis letters: "R,F" names the axes of a tensor. An axis is a letter (R, HS), a whole number, or a letter divided or
// multiplied by a whole number ("HS/2"). One letter has one length wherever it stands.

/** Tensors' names and their axes, e.g. { gate: "R,F", up: "R,F" }; "" is a scalar of shape []. */
export type Specs = Readonly<Record<string, string>>;

type Letter<Axis extends string> = Axis extends `${infer Name}/${number}`
  ? Name
  : Axis extends `${infer Name}*${number}`
    ? Name
    : Axis extends `${number}` | ""
      ? never
      : Axis;

/** "B,T,HS/2" → "B" | "T" | "HS". */
export type AxisLetters<S extends string> = S extends `${infer Axis},${infer Rest}`
  ? Letter<Axis> | AxisLetters<Rest>
  : Letter<S>;

/** The axes of a spec, spaces removed. */
export function splitAxes(spec: string): string[] {
  const bare = spec.replaceAll(/\s/g, "");
  return bare === "" ? [] : bare.split(",");
}

interface ParsedAxis {
  letter?: string;
  divisor: number;
  factor: number;
}

function parseAxis(axis: string): ParsedAxis {
  if (/^\d+$/.test(axis)) return { divisor: 1, factor: Number(axis) };
  const found = /^([A-Za-z]\w*)(?:([/*])([1-9]\d*))?$/.exec(axis);
  if (found === null) throw new RangeError(`axis "${axis}" is not a letter, a number, or a letter like "HS/2"`);
  const [, letter = "", operator, constant = "1"] = found;
  return {
    letter,
    divisor: operator === "/" ? Number(constant) : 1,
    factor: operator === "*" ? Number(constant) : 1,
  };
}

/** The letters in a spec: "T,HS/2" → ["T", "HS"]. */
export function lettersOf(spec: string): string[] {
  return splitAxes(spec).flatMap((axis) => parseAxis(axis).letter ?? []);
}

/**
 * The length of every letter, from the shapes of the named tensors and from the lengths that are already known.
 * Throws RangeError, e.g. "up has shape [2,3], expected [R,F] with R=4".
 */
export function resolveAxes(
  specs: Specs,
  shapes: Readonly<Record<string, readonly number[]>>,
  known: Readonly<Record<string, number>> = {},
): Record<string, number> {
  const lengths: Record<string, number> = { ...known };
  for (const [name, spec] of Object.entries(specs)) {
    const axes = splitAxes(spec);
    if (shapes[name]!.length !== axes.length) throw misfit(name, shapes[name]!, axes, lengths);
    for (const [i, axis] of axes.entries()) if (parseAxis(axis).letter === axis) lengths[axis] ??= shapes[name]![i]!;
  }
  // A letter that never stands alone has the length that its expressions imply.
  for (const [name, spec] of Object.entries(specs)) {
    for (const [i, axis] of splitAxes(spec).entries()) {
      const { letter, divisor, factor } = parseAxis(axis);
      if (letter !== undefined) lengths[letter] ??= (shapes[name]![i]! * divisor) / factor;
    }
  }
  for (const [name, spec] of Object.entries(specs)) {
    const axes = splitAxes(spec);
    const whole = lettersOf(spec).every((letter) => Number.isInteger(lengths[letter]));
    if (!whole || !axes.every((axis, i) => axisLength(axis, lengths) === shapes[name]![i])) {
      throw misfit(name, shapes[name]!, axes, lengths);
    }
  }
  return lengths;
}

/** The shape of a spec once its letters are known. Throws RangeError when a letter is unknown or a length not whole. */
export function shapeFrom(name: string, spec: string, lengths: Readonly<Record<string, number>>): number[] {
  return splitAxes(spec).map((axis) => {
    const length = axisLength(axis, lengths);
    if (!Number.isInteger(length) || length < 0) {
      const { letter } = parseAxis(axis);
      throw new RangeError(`${name}: axis ${axis} with ${letter}=${lengths[letter!]} is not a length`);
    }
    return length;
  });
}

function axisLength(axis: string, lengths: Readonly<Record<string, number>>): number {
  const { letter, divisor, factor } = parseAxis(axis);
  return ((letter === undefined ? 1 : lengths[letter]!) * factor) / divisor;
}

function misfit(
  name: string,
  shape: readonly number[],
  axes: string[],
  lengths: Readonly<Record<string, number>>,
): RangeError {
  const letters = [...new Set(axes.flatMap((axis) => parseAxis(axis).letter ?? []))].filter((l) => l in lengths);
  const where = letters.length > 0 ? ` with ${letters.map((letter) => `${letter}=${lengths[letter]}`).join(", ")}` : "";
  return new RangeError(`${name} has shape [${shape}], expected [${axes}]${where}`);
}
