// A dispatch, workgroup after workgroup: all invocations go on to the same barrier, then beyond it.
import type { Barrier } from "./functions.ts";
import type { Machine, Memory, Value } from "./machine.ts";
import type { Builtins, Program } from "./program.ts";
import type { Access, Conflict } from "./shadow.ts";

type Triple = readonly [number, number, number];

/** What was found, and how many workgroups ran to their ends. */
export interface Found {
  readonly races: string[];
  workgroups: number;
}

/** Runs the workgroups of a dispatch one after the other, and adds to `found`. Throws OutOfSteps. */
export function runDispatch(machine: Machine, program: Program, groups: Triple, found: Found): void {
  const say = (race: string): void => {
    if (!found.races.includes(race)) found.races.push(race);
  };
  const run = program.waits ? runTogether : runAlone;
  try {
    for (const workgroup of machine.inOrder(sizeOf(groups))) {
      machine.workgroup = workgroup;
      machine.intervals.workgroup.push("the workgroup began");
      machine.intervals.storage.push("the workgroup began");
      program.clear();
      const uneven = run(machine, program, groups);
      if (uneven !== undefined) say(uneven);
      found.workgroups++;
    }
  } finally {
    for (const memory of machine.memories) {
      for (const conflict of memory.shadow?.conflicts ?? []) {
        say(inWords(machine, memory, conflict, program.workgroupSize, groups));
      }
    }
  }
}

function runAlone(machine: Machine, program: Program, groups: Triple): undefined {
  for (const invocation of machine.inOrder(sizeOf(program.workgroupSize))) {
    machine.invocation = invocation;
    machine.privates = program.privates();
    program.runWhole(builtinsOf(machine, program.workgroupSize, groups));
  }
}

interface Running {
  readonly steps: Generator<Barrier, Value>;
  readonly privates: Value[];
  /** Where it waits; undefined once it has returned. */
  at: Barrier | undefined;
}

/** Says which invocation does not come to a barrier at which others wait. */
function runTogether(machine: Machine, program: Program, groups: Triple): string | undefined {
  const size = program.workgroupSize;
  const running = Array.from({ length: sizeOf(size) }, (_, invocation): Running => {
    machine.invocation = invocation;
    return {
      steps: program.invocation(builtinsOf(machine, size, groups)),
      privates: program.privates(),
      at: undefined,
    };
  });
  for (;;) {
    for (const invocation of machine.inOrder(running.length)) {
      const one = running[invocation]!;
      machine.invocation = invocation;
      machine.privates = one.privates;
      const { value, done } = one.steps.next();
      one.at = done === true ? undefined : (value as Barrier);
    }
    const waiting = running.find(({ at }) => at !== undefined)?.at;
    if (waiting === undefined) return undefined;
    const missing = running.findIndex(({ at }) => at !== waiting);
    if (missing !== -1) {
      const there = running.findIndex(({ at }) => at === waiting);
      const { at } = running[missing]!;
      const instead = at === undefined ? "has returned" : `waits at ${at.name}() on line ${at.line}`;
      return (
        `not all invocations come to ${waiting.name}() on line ${waiting.line}: invocation ${triple(there, size)} of workgroup ` +
        `${triple(machine.workgroup, groups)} waits there, invocation ${triple(missing, size)} ${instead}`
      );
    }
    machine.intervals[waiting.space].push(`${waiting.name}() on line ${waiting.line}`);
  }
}

function builtinsOf({ workgroup, invocation }: Machine, size: Triple, groups: Triple): Builtins {
  const [group, local] = [coordinates(workgroup, groups), coordinates(invocation, size)];
  return {
    workgroup_id: group,
    num_workgroups: [...groups],
    local_invocation_id: local,
    local_invocation_index: invocation,
    global_invocation_id: local.map((at, i) => group[i]! * size[i]! + at),
  };
}

function inWords(machine: Machine, memory: Memory, conflict: Conflict, size: Triple, groups: Triple): string {
  const { name, stride, space } = memory;
  const { word, interval, first, second } = conflict;
  const side = ({ line, isWrite, invocation, workgroup }: Access): string =>
    `line ${line} ${isWrite ? "writes" : "reads"} it in invocation ${triple(invocation, size)} of workgroup ${triple(workgroup, groups)}`;
  const why =
    interval === undefined
      ? "and nothing orders workgroups"
      : `and since ${machine.intervals[space][interval]} no barrier of ${space} memory has come between them`;
  const part = stride === 0 ? "" : `[${Math.floor(word / stride)}]`;
  return `race on ${name}${part}: ${side(first)}, ${side(second)}, ${why}`;
}

function triple(index: number, of: Triple): string {
  return `(${coordinates(index, of).join(", ")})`;
}

function coordinates(index: number, [x, y]: Triple): number[] {
  return [index % x, Math.floor(index / x) % y, Math.floor(index / x / y)];
}

function sizeOf([x, y, z]: Triple): number {
  return x * y * z;
}
