// What commander says of a command line, in the form of every other error: what, where, expected what; in one line.
import type { Command } from "commander";
import { messageLine } from "../formats/printable.ts";
import { note } from "./output.ts";
import { counted } from "./words.ts";

type Wording = readonly [said: RegExp, inOurs: (groups: readonly string[], command: Command) => string];

const option = String.raw`option '(?:-\w, )?(--[\w-]+)([^']*)'`;
const similar = String.raw`(?: \(Did you mean (.*)\?\))?`;

const wordings: readonly Wording[] = [
  [
    new RegExp(`^${option} argument '(.*)' is invalid\\. (.*?)\\.?$`, "s"),
    ([name, , value, reason]) => {
      return `${name} ${value}: ${reason.replace(/^Allowed choices are/, "expected one of")}`;
    },
  ],
  [
    /^command-argument value '(.*)' is invalid for argument '(.*?)'\. (.*?)\.?$/s,
    ([value, name, reason]) => `${name} ${value}: ${reason.replace(/^Allowed choices are/, "expected one of")}`,
  ],
  [new RegExp(`^${option} argument missing$`), ([name, value]) => `${name}: has no value, expected ${name}${value}`],
  [
    new RegExp(`^required ${option} not specified$`),
    ([name, value], command) => {
      return `${nameOf(command)}: ${name} is missing, expected ${name}${value}`;
    },
  ],
  [
    new RegExp(`^${option} cannot be used with ${option}$`),
    ([a, , b]) => `${a}: is given with ${b}, expected only one of them`,
  ],
  [
    new RegExp(`^unknown option '(.*?)'${similar}$`, "s"),
    ([name, near], command) => {
      return `${name}: ${nameOf(command)} has no such option, expected ${near ?? "one that --help lists"}`;
    },
  ],
  [
    new RegExp(`^unknown command '(.*?)'${similar}$`, "s"),
    ([name, near]) => {
      return `${name}: there is no such command, expected ${near ?? "one that --help lists"}`;
    },
  ],
  [
    /^missing required argument '(.*)'$/,
    ([name], command) => {
      return `${nameOf(command)}: <${name}> is missing, expected ${nameOf(command)} ${command.usage()}`;
    },
  ],
  [
    /^too many arguments(?: for '.*')?\. Expected (\d+) arguments? but got (\d+)\.$/,
    ([most, got], command) => {
      return `${nameOf(command)}: ${counted(Number(got), "argument")}, expected ${most === "0" ? "none" : most}`;
    },
  ],
];

/** Makes a command and those below it say what is wrong in the project's wording, after the name of the program. */
export function useOneWording(command: Command, program = "touchstone"): void {
  command.configureOutput({
    outputError: (text) => note(`${program}: ${messageLine(inOneWording(text, command))}`),
  });
  for (const below of command.commands) useOneWording(below, program);
}

function inOneWording(text: string, command: Command): string {
  const line = text
    .replace(/^error: /, "")
    .trim()
    .replaceAll(/\s*\n\s*/g, " ");
  for (const [said, inOurs] of wordings) {
    const match = said.exec(line);
    if (match !== null) return inOurs(match.slice(1), command);
  }
  return line;
}

/** "golden verify". */
function nameOf(command: Command): string {
  const { parent } = command;
  return parent?.parent == null ? command.name() : `${nameOf(parent)} ${command.name()}`;
}
