// The workflow of examples/ci, read by Python's YAML parser where there is one: the project needs none itself.
import { spawnSync } from "node:child_process";

export interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Workflow {
  readonly name: string;
  readonly jobs: Readonly<Record<string, { readonly "runs-on": string; readonly steps: readonly Step[] }>>;
}

/** Every value is a string. Undefined where there is no python3 with yaml. */
export function readWorkflow(path: string): Workflow | undefined {
  const script = "import json, sys, yaml; print(json.dumps(yaml.load(open(sys.argv[1]), yaml.BaseLoader)))";
  const { status, stdout } = spawnSync("python3", ["-c", script, path], { encoding: "utf8" });
  return status === 0 ? (JSON.parse(stdout) as Workflow) : undefined;
}

/** The commands that a workflow runs, in their order, each after the variables that its step sets. */
export function commandsOf(workflow: Workflow): string[] {
  const steps = Object.values(workflow.jobs).flatMap((job) => job.steps);
  const assigned = (env: Step["env"] = {}): string[] =>
    Object.entries(env).map(([name, value]) => `export ${name}="${value}"`);
  return steps.flatMap(({ run, env }) => (run === undefined ? [] : [[...assigned(env), run].join("; ")]));
}
