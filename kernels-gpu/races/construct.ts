// Values that a text writes down: literals and constructors.
import type { Type } from "wesl/core";
import { converted } from "./builtins.ts";
import type { Value } from "./machine.ts";
import { copied, scalarOf } from "./numbers.ts";
import { zeroOf } from "./places.ts";

/** `u32(x)`, `vec4(a, b, c, d)`, `array<f32, 4>()`, `Pair(a, b)`; undefined for any other type. */
export function construct(type: Type, types: readonly Type[]): ((values: Value[]) => Value) | undefined {
  if (types.length === 0) {
    const zero = zeroOf(type);
    return zero === undefined ? undefined : () => copied(zero);
  }
  switch (type.kind) {
    case "scalar": {
      const convert = converted(scalarOf(types[0]!) ?? "", type.scalar);
      return ([value]) => convert(value!);
    }
    case "vector": {
      const converts = types.map((from) => converted(scalarOf(from) ?? "", type.elem.scalar));
      return (values) => {
        const flat = values.flatMap((value, i) =>
          Array.isArray(value) ? value.map(converts[i]!) : [converts[i]!(value)],
        );
        return flat.length === 1 ? Array.from({ length: type.size }, () => flat[0]!) : flat;
      };
    }
    case "array":
    case "struct":
      return (values) => values;
    default:
      return undefined;
  }
}

/** WGSL 6.2: decimal, hexadecimal and hexadecimal floats, with a suffix. */
export function literal(text: string): Value {
  if (text === "true" || text === "false") return text === "true";
  const hex = /^0[xX]([\da-fA-F]*)(?:\.([\da-fA-F]*))?(?:[pP]([+-]?\d+))?[iufh]?$/.exec(text);
  if (hex === null) return Number(text.replace(/[iufh]$/, ""));
  const [, whole = "", fraction = "", exponent = "0"] = hex;
  // An f at the end of a hexadecimal integer is a digit.
  const digits = hex[2] === undefined && hex[3] === undefined ? text.slice(2).replace(/[iu]$/, "") : whole + fraction;
  return Number.parseInt(digits, 16) * 2 ** (Number(exponent) - 4 * fraction.length);
}
