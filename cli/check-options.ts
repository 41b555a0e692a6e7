// What `touchstone check` is given.

/** Cases for each op. */
export const DEFAULT_RUNS = 100;
/** Seconds for a case. */
export const DEFAULT_TIMEOUT = 30;
/** Seeds of cases are positive int32. */
export const LARGEST_CASE_SEED = 0x7fffffff;

export interface CheckOptions {
  readonly op?: string[];
  readonly adapter: "auto" | "gpu" | "software";
  readonly runs?: number;
  readonly budget?: number;
  readonly seed?: number;
  readonly sizes?: string;
  readonly json?: string;
  readonly overwrite?: boolean;
  readonly replay?: string;
  readonly exec?: string;
  readonly kernel?: string;
  readonly outputs?: string;
  readonly evidence?: string;
  readonly timeout: number;
  readonly jobs?: number;
  /** Megabytes. */
  readonly memory?: number;
  readonly dtype: "float32" | "bfloat16" | "float16";
  readonly target?: string;
  readonly store?: string;
  readonly sum?: string;
  readonly nondeterministic?: boolean;
  readonly bitwise?: boolean;
  readonly allowUnjudged?: number;
  readonly allowRefused?: number;
}
