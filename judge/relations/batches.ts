// What surrounds some places does not matter to them: how many there are, at which place each is, queries at once or in pieces, neutral
// numbers after the end of a sum, parts of a sum on several ranks.
//
// A correct kernel may sum in another order where it has few rows, since libraries take other kernels there. So bits are notes, and
// findings for a kernel that promises them, which is tried at more sizes. `touchstone invariance` maps where they change.
import type { Operation } from "../../reference/operation.ts";
import { isUnsupported } from "../candidates/unsupported.ts";
import { Caller } from "../invariance/family.ts";
import { type Group, independentGroups, paddingGroups } from "../invariance/groups.ts";
import { type BitMap, rangesInWords, wholeMapOf } from "../invariance/map.ts";
import { Grounds, type Room } from "../invariance/room.ts";
import { anywhere } from "../invariance/sizes.ts";
import type { JudgeRow } from "../row.ts";
import { type Difference, outcomeOf, type Relation, type Trial } from "./relation.ts";

/** What a kernel that promises no bits is tried at: numbers of places, and work that adds little to a check. */
const FEW = [1, 2, 7, 64];
const LITTLE = { most: 1.2e6, cap: 1.2e6, longest: 65, many: 65, short: 8 } as const;
/** And one that does: sums are so long that kernels begin to split them. */
const MUCH = { most: 1.2e7, cap: 1.2e7, short: 8 } as const;
const SOME = [...FEW, 3, 8, 9, 16, 17, 33, 128, 257].toSorted((a, b) => a - b);

/** One for each axis along which places do not see each other and do not count each other, for queries and their keys, and for sums. */
export function batchesOf(operation: Operation, { independence, padding }: JudgeRow): Relation[] {
  return [
    ...independence
      .filter(({ whole = [], signed = [] }) => whole.length + signed.length === 0)
      .map((one) =>
        relation(
          `another number of ${one.axes[0]}`,
          `How many there are along ${one.axes[0]}, and at which place, changes no bit of ${one.outputs.join(", ")}.`,
          (caller, grounds, numbers) => independentGroups(caller, grounds, one, numbers),
        ),
      ),
    ...padding.map((one) =>
      relation(
        `another length of ${one.axis}`,
        `Neutral numbers after the end of ${one.axis}${one.isSum === true ? ", and parts of it that are added," : ""} give ${one.outputs.join(", ")}.`,
        (caller, grounds) => paddingGroups(caller, grounds, one),
      ),
    ),
  ];

  function relation(
    name: string,
    statement: string,
    groups: (caller: Caller, grounds: Grounds, numbers: readonly number[]) => readonly Group[],
  ): Relation {
    return {
      name,
      statement,
      run: async (trial) => {
        const caller = new Caller(trial);
        const grounds = new Grounds(operation, trial.spec, roomOf(trial));
        const differences: Difference[] = [];
        let refusal: unknown;
        for (const { make } of groups(caller, grounds, trial.bitwise === true ? SOME : FEW)) {
          for (const family of make()) {
            if (family.steps.length === 0) continue;
            try {
              differences.push(differenceOf(await wholeMapOf({ ...family, isDense: false }, caller)));
            } catch (error) {
              if (!isUnsupported(error)) throw error;
              refusal = error;
            }
          }
        }
        if (differences.length === 0 && refusal !== undefined) throw refusal;
        return outcomeOf(name, trial, differences);
      },
    };
  }
}

/** As much as a check tries in one run. */
export function roomOf({ spec, bitwise }: Trial): Room {
  const { admits = () => true } = spec.large ?? {};
  return { ...anywhere, admits, ...(bitwise === true ? MUCH : LITTLE) };
}

function differenceOf(map: BitMap): Difference {
  const { relation, compared, unjudged, isBroken, isPromised, same, worst } = map;
  if (isBroken) return { state: "broken", compared, unjudged, message: `${relation}: ${worst}` };
  if (same !== false || !isPromised) return { state: "holds", compared, unjudged };
  return { state: "rounded", compared, unjudged, message: `${relation}: ${worst}; bits by ${rangesInWords(map)}` };
}
