// Whether a fault depends on an earlier call.
import type { Candidate } from "../../reference/candidate.ts";
import { isWithin } from "../compare.ts";
import { type Portrait, type Seen, storedAs, wrongOutputs } from "./portrait.ts";

type Portraying = () => Promise<Portrait | undefined>;

/** What an earlier call has to do with it, of a case and of one of the same sizes with other numbers; undefined where nothing. */
export async function stateOf(
  candidate: Candidate,
  portraying: Portraying,
  other: Portraying,
): Promise<string | undefined> {
  const fresh = await inFreshProcess(candidate, portraying);
  const earlier = await other();
  const after = await portraying();
  if (earlier === undefined || after === undefined) return undefined;
  const what = wrongOutputs(after).flatMap((seen) => leftOver(earlier, after, seen) ?? []);
  if (what.length > 0) return what.join("; ");
  return fresh === "right" ? "right in a fresh process: it needs an earlier call" : undefined;
}

async function inFreshProcess(candidate: Candidate, portraying: Portraying): Promise<"right" | "wrong" | undefined> {
  if (candidate.restart === undefined) return undefined;
  await candidate.restart();
  const portrait = await portraying();
  return portrait && (wrongOutputs(portrait).length === 0 ? "right" : "wrong");
}

/** Numbers of the call before, alone or added to this one's. */
function leftOver(earlier: Portrait, after: Portrait, { output, got, want, wrong, allowed }: Seen): string | undefined {
  const before = earlier.outputs.find((seen) => seen.output === output)!;
  const { dtype } = storedAs(after.operation, output, after.terms);
  const is = (expected: (i: number) => number): boolean =>
    wrong.every((i) => isWithin(got.data[i], expected(i), allowed.data[i] + before.allowed.data[i], dtype));
  if (is((i) => before.want.data[i])) return `${output} has the numbers of the call before there`;
  if (is((i) => want.data[i] + before.got.data[i])) return `${output} is added to what the call before left`;
  return undefined;
}
