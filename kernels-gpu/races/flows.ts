// Statements made of others: after calls that meet barriers, one after the other, again and again.
import { plainly, type Flow, type Statement, type Waiting } from "./functions.ts";
import type { Machine } from "./machine.ts";
import type { Compute, Frame } from "./places.ts";

/** Where a call leaves its result. */
export const RESULT = 0;

/** An expression, and what comes before it. */
export type Made = readonly [before: Waiting<void> | undefined, value: Compute];

/** A statement after calls that meet barriers. */
export function after(before: Waiting<void> | undefined, plain: (frame: Frame) => Flow): Statement {
  if (before === undefined) return plainly(plain);
  return {
    *waiting(frame) {
      yield* before(frame);
      return plain(frame);
    },
  };
}

export function sequence(first: Statement, second: Statement): Statement {
  const [one, two] = [first.plain, second.plain];
  if (one !== undefined && two !== undefined) {
    return plainly((frame) => {
      one(frame);
      return two(frame);
    });
  }
  return {
    *waiting(frame) {
      yield* first.waiting(frame);
      return yield* second.waiting(frame);
    },
  };
}

/** While `again` holds: the body, then the update; either may leave the loop. */
export function repeat(machine: Machine, again: Made | undefined, body: Statement, update: Statement): Statement {
  const [before, when] = again ?? [undefined, () => true];
  const [inner, last] = [body.plain, update.plain];
  if (before === undefined && inner !== undefined && last !== undefined) {
    return plainly((frame) => {
      while (when(frame)) {
        machine.step();
        const flow = inner(frame);
        if (flow === "break") break;
        if (flow === "return") return flow;
        if (last(frame) === "break") break;
      }
      return "next";
    });
  }
  return {
    *waiting(frame) {
      for (;;) {
        machine.step();
        yield* before?.(frame) ?? [];
        if (!when(frame)) return "next";
        const flow = yield* body.waiting(frame);
        if (flow === "break") return "next";
        if (flow === "return") return flow;
        if ((yield* update.waiting(frame)) === "break") return "next";
      }
    },
  };
}
