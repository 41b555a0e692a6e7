// The entry touchstone-llama/node, for what needs files, processes and this machine's device.
//
//   openDevice               a GPU, or the software adapter; needs the optional packages
//   processCandidate         a kernel in any language
//   writeFixture, …          inputs, exact outputs and bounds in a file
//   startWorkers             threads that share the judge's own work
//   recordSteps, blame       a training step, and the first op at fault in it
//   openCheckpoint, …        weights: llama2.c, Hugging Face, Meta, GGUF, safetensors
//   readTokenizer            sentencepiece's .model, llama2.c's .bin
export { FormatError } from "./formats/error.ts";
export {
  type Checkpoint,
  type CheckpointFormat,
  openCheckpoint,
  writeCheckpoint,
  type WriteOptions,
  type WrittenFormat,
} from "./formats/checkpoint.ts";
export {
  readSafetensors,
  type SafetensorsContent,
  type TensorToWrite,
  writeSafetensors,
} from "./formats/safetensors.ts";
export { readTokenizer } from "./formats/tokenizer.ts";
export { type GeneratedInput, readFixture, type ReadFixture } from "./golden/fixtures/read.ts";
export { type FixtureResult, verifyFixture, writeFixture } from "./golden/fixtures/own.ts";
export { processCandidate, type ProcessCandidateOptions } from "./judge/api/process.ts";
export { blame, type BlameOptions, recordSteps, type StepsToRecord } from "./judge/api/step.ts";
export { startWorkers } from "./judge/api/workers.ts";
export type { Blame, Fault } from "./judge/blame.ts";
export type { Workers } from "./judge/jobs/workers.ts";
export { realInputs } from "./judge/real.ts";
export { type AdapterChoice, openDevice } from "./kernels-gpu/device/dawn.ts";
export type { Device } from "./kernels-gpu/device/device.ts";
export { NoDeviceError } from "./kernels-gpu/device/errors.ts";
export type { Tokenizer } from "./reference/text/tokenizer.ts";
