// The paper's figures about its runs (Touvron et al. 2023), each with its place.
import type { PresetName } from "../config.ts";

/** The printed speeds with which a step's time is compared. */
export const printedSpeed = {
  model: "65B",
  device: "a100-80gb",
  gpus: 2048,
  context: 2048,
  tokens: 1.4e12,
  tokensPerSecond: 380,
  days: 21,
  place: "section 2.4",
} as const;

/** Tokens that each size was trained on. */
export const printedTokens: Partial<Record<PresetName, number>> = {
  "7B": 1e12,
  "13B": 1e12,
  "33B": 1.4e12,
  "65B": 1.4e12,
};
export const printedTokensPlace = "table 2";

/** The state of 65B at 16 bytes a parameter; the weights of 13B, which fit one V100. In bytes, as printed to 0.01 TB and 1 GB. */
export const printedMemory = [
  {
    what: "training state",
    model: "65B",
    bytes: 1.04e12,
    unit: 1e10,
    place: "table 2 (65.2B parameters) at the 16 bytes of Rajbhandari et al. 2020, section 3.1",
  },
  {
    what: "bfloat16 weights",
    model: "13B",
    bytes: 26e9,
    unit: 1e9,
    place: "table 2 (13.0B parameters); section 3.2: one V100 runs it",
  },
] as const;

/** The carbon footprint: GPU-hours at 400 W, MWh, tCO2e. */
export const printedEnergy = [
  { model: "OPT-175B", gpuHours: 809_472, megawattHours: 356, tonnesCO2: 137 },
  { model: "BLOOM-175B", gpuHours: 1_082_880, megawattHours: 475, tonnesCO2: 183 },
  { model: "7B", gpuHours: 82_432, megawattHours: 36, tonnesCO2: 14 },
  { model: "13B", gpuHours: 135_168, megawattHours: 59, tonnesCO2: 23 },
  { model: "33B", gpuHours: 530_432, megawattHours: 233, tonnesCO2: 90 },
  { model: "65B", gpuHours: 1_022_362, megawattHours: 449, tonnesCO2: 173 },
] as const;
export const printedEnergyPlace = "section 6, table 15";
/** The watts of the table; its two MWh that the formula does not give (449.8 and 476.5, rounded 450 and 476). */
export const PRINTED_POWER = 400;
export const printedOtherwise: readonly string[] = ["65B", "BLOOM-175B"];
