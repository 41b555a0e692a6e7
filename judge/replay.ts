// Parses a printed line: one case of an op, or one relation at a case.
import type { Case } from "./case.ts";
import { checkMemory, memoryAtScale, numbersOfCase } from "./case-memory.ts";
import { type Chosen, choose } from "./choose.ts";
import { numbersAtScale } from "./scale-problem.ts";
import { relationsOf } from "./relations/index.ts";
import { parseRelation, type Relation } from "./relations/relation.ts";

export interface Replayed {
  readonly chosen: Chosen;
  readonly case: Case;
  /** Absent where the line is a case. */
  readonly relation?: Relation;
}

export interface ReplayOptions {
  readonly offered?: (chosen: Chosen) => Chosen;
  readonly atScale?: number;
}

/**
 * Throws RangeError that names the word that is wrong. `offered` narrows the op to what the candidate offers; `atScale` is how many bytes a
 * line of a fixture at scale may take.
 */
export function parseReplay(
  line: string,
  { offered = (one) => one, atScale = memoryAtScale() }: ReplayOptions = {},
): Replayed {
  const { of: c, name } = parseRelation(line);
  const chosen = offered(choose([c.op])[0]);
  if (chosen.operation.name !== c.op) {
    throw new RangeError(`replay: "${c.op}" is not an op and direction, expected such as swiglu.forward`);
  }
  checkSizes(chosen, c, atScale);
  return { chosen, case: c, ...(name === undefined ? {} : { relation: relationOf(chosen, c, name) }) };
}

function relationOf({ operation, spec }: Chosen, { profile }: Case, name: string): Relation {
  const relations = relationsOf(operation, spec);
  const found = relations.find((relation) => relation.name === name);
  if (found === undefined) {
    const known = relations.map((relation) => `"${relation.name}"`).join(", ");
    throw new RangeError(`replay: ${operation.name} has no relation "${name}", expected one of ${known}`);
  }
  if (profile !== "unit")
    throw new RangeError(`replay: profile is ${profile}, expected unit, on which relations are tried`);
  return found;
}

/** As many numbers as fit the memory of a line; no tensor is allocated for the number alone. */
const LONGEST = 1 << 26;

/** A line may come from anywhere: its sizes must be those of the op, and as small as cases are. */
function checkSizes(chosen: Chosen, c: Case, atScale: number): void {
  const { spec } = chosen;
  const { sizes, profile } = c;
  const expected = profile === "real" ? [] : Object.keys(spec.sizes);
  const given = Object.keys(sizes);
  if (expected.toSorted().join() !== given.toSorted().join()) {
    throw new RangeError(
      `replay: ${spec.op} with the sizes ${given.join(", ") || "none"}, expected ${expected.join(", ") || "none"}`,
    );
  }
  if (profile === "scale") {
    return checkMemory(spec, c, numbersAtScale(chosen.operation, spec, sizes), atScale);
  }
  for (const [name, value] of Object.entries(sizes)) {
    if (typeof value === "number" && !(Math.abs(value) <= LONGEST)) {
      throw new RangeError(`replay: ${name} is ${value}, expected at most ${LONGEST}`);
    }
  }
  // Lengths may be fine one by one and too large together: nothing is allocated before their tensors are counted.
  checkMemory(spec, c, numbersOfCase(chosen.operation, sizes));
}
