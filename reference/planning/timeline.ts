// Tasks on streams: one for computation and one for communication, which has a lane for each link, since a collective over
// the network does not hold up one inside a node. A lane runs its tasks in the order in which they were issued.
export type Lane = "computation" | "in-node" | "network";
export type TaskKind = "product" | "attention" | "elementwise" | "again" | "tensor" | "data";

/** A step of work: how long it takes and which earlier tasks (by their numbers in the list) it waits for. */
export interface Task {
  readonly name: string;
  readonly lane: Lane;
  readonly kind: TaskKind;
  readonly seconds: number;
  readonly after: readonly number[];
}

export interface Scheduled {
  readonly task: Task;
  readonly start: number;
  readonly end: number;
}

export interface Timeline {
  readonly tasks: readonly Scheduled[];
  /** When the last task ends. */
  readonly seconds: number;
  /** Seconds for which the computation's lane is busy. */
  readonly computation: number;
  readonly communication: number;
  /** Seconds in which nothing is computed: communication that is not hidden. */
  readonly exposed: number;
}

/**
 * Starts each task as soon as its lane is free and all that it waits for has ended; without overlap, only when every
 * earlier task has ended. Throws RangeError for a task that waits for a later one.
 */
export function timelineOf(tasks: readonly Task[], overlap: boolean): Timeline {
  const free: Record<Lane, number> = { computation: 0, "in-node": 0, network: 0 };
  const scheduled: Scheduled[] = [];
  let seconds = 0;
  let computation = 0;
  let communication = 0;
  for (const [i, task] of tasks.entries()) {
    let start = overlap ? free[task.lane] : seconds;
    for (const before of task.after) {
      if (!(before < i)) throw new RangeError(`task ${i} (${task.name}) waits for ${before}, expected an earlier one`);
      start = Math.max(start, scheduled[before].end);
    }
    const end = start + task.seconds;
    free[task.lane] = end;
    seconds = Math.max(seconds, end);
    if (task.lane === "computation") computation += task.seconds;
    else communication += task.seconds;
    scheduled.push({ task, start, end });
  }
  return { tasks: scheduled, seconds, computation, communication, exposed: seconds - computation };
}
