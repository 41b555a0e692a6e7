// Energy and carbon of a run (Touvron et al. 2023, section 6, after Wu et al. 2022):
//
//   Wh = GPU-hours · GPU power · PUE,   tCO2e = MWh · 0.385
//
// PUE is a data centre's power over its computers' power; 0.385 kg/kWh is the mean of the United States' grid.
export const PUE = 1.1;
export const CARBON_KG_A_KWH = 0.385;

const WH_A_MWH = 1e6;

/** power: watts of one GPU. */
export function energyOf(gpuHours: number, power: number): { megawattHours: number; tonnesCO2: number } {
  const megawattHours = (gpuHours * power * PUE) / WH_A_MWH;
  return { megawattHours, tonnesCO2: megawattHours * CARBON_KG_A_KWH };
}

/** How long a run takes at so many tokens a second and GPU. */
export function durationOf(tokens: number, tokensPerSecond: number, gpus: number): { days: number; gpuHours: number } {
  const hours = tokens / (tokensPerSecond * gpus) / 3600;
  return { days: hours / 24, gpuHours: hours * gpus };
}
