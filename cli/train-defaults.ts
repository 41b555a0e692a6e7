/** What a run has that does not say otherwise. */
export const defaults = { batchSize: 4, sequenceLength: 32, steps: 1000, seed: 1 } as const;
