// What a verdict is worth: which errors the bounds of an output would have shown. A share of zero or of a subnormal number is below
// every bound that allows a flush, and says nothing about a kernel, so elements count whose exact value is a normal number.

/** Judged elements of normal size, and how many of them would have been rejected if they were zero, the next one's value, or 1 % too large. */
export interface Power {
  readonly judged: number;
  readonly zero: number;
  readonly neighbour: number;
  readonly percent: number;
}

/** The same as shares of these elements, from 0 to 1; 0 where there are none. */
export type PowerShares = Readonly<Record<Exclude<keyof Power, "judged">, number>>;

export const NO_POWER: Power = { judged: 0, zero: 0, neighbour: 0, percent: 0 };

export function sumOfPowers(a: Power, b: Power): Power {
  return {
    judged: a.judged + b.judged,
    zero: a.zero + b.zero,
    neighbour: a.neighbour + b.neighbour,
    percent: a.percent + b.percent,
  };
}

export function sharesOf({ judged, zero, neighbour, percent }: Power): PowerShares {
  const share = (n: number): number => (judged === 0 ? 0 : n / judged);
  return { zero: share(zero), neighbour: share(neighbour), percent: share(percent) };
}
