// Chooses the memory that each tensor of a submission gets. Every buffer of a submission exists while it runs, so a step takes
// the sum of its buffers, and two tensors share one if no step needs both.
//
// Greedy by size (Pisarchyk & Lee 2020, section 4.3): from the largest tensor down, each takes the smallest buffer that is
// large enough and free in all of its steps, or else a new one. Tensors that are kept for later submissions come first and
// take no larger buffer than they need: each step then finds the buffers that the last one's state has freed.

/** A tensor: the first and the last step that need it; a last one of Infinity keeps it for later submissions. */
export interface Span {
  readonly bytes: number;
  readonly from: number;
  readonly to: number;
}

/** A buffer that exists, and the first step at which it is free. */
export interface Vacancy {
  readonly bytes: number;
  readonly freeFrom: number;
}

/**
 * For each span the buffer that it takes: an index of `vacancies`, or beyond them one of the new ones, whose sizes are in
 * `added`.
 */
export function place(spans: readonly Span[], vacancies: readonly Vacancy[]): { taken: number[]; added: number[] } {
  const taken: number[] = Array.from({ length: spans.length });
  const added: number[] = [];
  const buffers = vacancies.map(({ bytes, freeFrom }) => ({ bytes, freeFrom, spans: [] as Span[] }));
  const isKept = ({ to }: Span): boolean => to === Infinity;
  const order = spans
    .map((_, i) => i)
    .toSorted((i, j) => {
      const [a, b] = [spans[i], spans[j]];
      return Number(isKept(b)) - Number(isKept(a)) || b.bytes - a.bytes || a.from - b.from;
    });
  for (const i of order) {
    const span = spans[i];
    let best = -1;
    for (const [b, buffer] of buffers.entries()) {
      const fits = isKept(span) ? buffer.bytes === span.bytes : buffer.bytes >= span.bytes;
      if (!fits || buffer.freeFrom > span.from) continue;
      if (best >= 0 && buffers[best].bytes <= buffer.bytes) continue;
      if (!buffer.spans.some((other) => overlap(span, other))) best = b;
    }
    if (best < 0) {
      best = buffers.push({ bytes: span.bytes, freeFrom: 0, spans: [] }) - 1;
      added.push(span.bytes);
    }
    buffers[best].spans.push(span);
    taken[i] = best;
  }
  return { taken, added };
}

/** The most bytes that the spans need at one step. */
export function mostAtOnce(spans: readonly Span[]): number {
  let most = 0;
  for (const { from } of spans) {
    const held = spans.reduce((sum, span) => sum + (span.from <= from && from <= span.to ? span.bytes : 0), 0);
    most = Math.max(most, held);
  }
  return most;
}

function overlap(a: Span, b: Span): boolean {
  return a.from <= b.to && b.from <= a.to;
}
