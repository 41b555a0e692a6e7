// A list of tasks being written: work is issued in order, and `compute` and `send` return a handle for its result.
import type { RingCollective } from "./collectives.ts";
import type { Group } from "./machine.ts";
import type { Task, TaskKind } from "./timeline.ts";

/** The numbers of the tasks that a result waits for; an empty list if it has been there all along. */
export type Ready = readonly number[];

export interface Issue {
  readonly tasks: readonly Task[];
  compute(name: string, kind: TaskKind, seconds: number, ...after: readonly Ready[]): Ready;
  /** In a group of one nothing is sent: the result is there when its inputs are. */
  send(
    name: string,
    kind: "tensor" | "data",
    group: Group,
    collective: RingCollective,
    bytes: number,
    ...after: readonly Ready[]
  ): Ready;
}

export function newIssue(): Issue {
  const tasks: Task[] = [];
  const push = (task: Task): Ready => [tasks.push(task) - 1];
  return {
    tasks,
    compute: (name, kind, seconds, ...after) => push({ name, lane: "computation", kind, seconds, after: after.flat() }),
    send(name, kind, group, collective, bytes, ...after) {
      if (group.ranks === 1) return after.flat();
      const seconds = group.seconds(collective, bytes);
      return push({ name: `${collective} ${name}`, lane: group.lane, kind, seconds, after: after.flat() });
    },
  };
}
