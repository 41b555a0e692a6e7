// A value of unknown origin as an error message shows it.

/** In one short line; never throws, whatever the value is. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number") return String(value);
  const line = written(value);
  return line.length <= 40 ? line : `${line.slice(0, 40)}…`;
}

function written(value: unknown): string {
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    return typeof value; // a circle, or a BigInt
  }
}
