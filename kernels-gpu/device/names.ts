// Tensors and scalars by their names.

/** One value for each of the names. */
export type ByName<Names extends PropertyKey, Value> = { readonly [Name in Names]: Value };

/** Throws RangeError unless exactly the declared names are given. */
export function sameNames(what: string, declared: readonly string[], given: readonly string[]): void {
  const missing = declared.filter((name) => !given.includes(name));
  const unknown = given.filter((name) => !declared.includes(name));
  if (missing.length === 0 && unknown.length === 0) return;
  const parts = [
    missing.length > 0 ? `missing ${missing.join(", ")}` : "",
    unknown.length > 0 ? `unknown ${unknown.join(", ")}` : "",
  ];
  throw new RangeError(
    `${what}: ${parts.filter((part) => part !== "").join("; ")}; expected ${declared.join(", ") || "none"}`,
  );
}
