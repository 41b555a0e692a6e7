// The headers of the frames between the judge and a module's process.
import type { RaceReport } from "../../reference/candidate.ts";

/** What the judge asks for. */
export type Request = Load | Run;

export interface Load {
  readonly kind: "load";
  /** The module, as import() takes it. */
  readonly url: string;
  /** The module whose `host` makes a function of a declaration, and what it is told. */
  readonly host?: string;
  readonly terms?: unknown;
}

/** One case; the numbers of the inputs follow, one after the other. Or what would race in it. */
export interface Run {
  readonly kind: "run" | "races";
  readonly inputs: readonly {
    readonly name: string;
    readonly type: "Float32Array" | "Float64Array" | "Int32Array";
    readonly length: number;
    readonly shape: readonly number[];
  }[];
  readonly scalars: Readonly<Record<string, number | string>>;
  /** The outputs, and how many numbers of each are wanted. */
  readonly outputs: readonly { readonly name: string; readonly length: number }[];
}

/** What the module's process says. */
export type Answer =
  | { readonly kind: "loaded"; readonly where?: string }
  | Refused
  | Ran
  | Raced
  /** isSpent: the next case needs another process. isRefusal: it said that it does not support the case. */
  | { readonly kind: "threw"; readonly message: string; readonly isSpent: boolean; readonly isRefusal: boolean }
  /** Something was thrown outside a call. */
  | { readonly kind: "stray"; readonly message: string }
  /** The last word, after the end of the requests. */
  | { readonly kind: "ends" };

/** The module is none. */
export interface Refused {
  readonly kind: "refused";
  /** What refused it: import(), its default export, or the host of declarations. */
  readonly by: "import" | "export" | "host";
  readonly message: string;
  /** Node's. */
  readonly code?: string;
}

/** What a case gave; the numbers of the outputs follow. */
export interface Ran {
  readonly kind: "ran";
  /** In the order of the request. */
  readonly outputs: readonly {
    /** What was returned: "Float32Array" or "Float64Array", or anything else in words. */
    readonly type: string;
    /** Absent unless it is a list of a few numbers. */
    readonly shape?: readonly number[];
    readonly length: number;
    /** How many bytes follow: none where the length is not the wanted one. */
    readonly bytes: number;
  }[];
  /** Names of inputs that were changed. */
  readonly changed: readonly string[];
  readonly complaints: readonly string[];
}

/** What a look for races has shown. */
export interface Raced {
  readonly kind: "raced";
  readonly report: RaceReport;
}

/** What the host of declarations makes of one: where it runs, and the function that runs it. */
export interface Hosted {
  readonly races: (inputs: object, scalars: object) => RaceReport | Promise<RaceReport>;
  readonly where: string;
  readonly run: (
    inputs: object,
    scalars: object,
  ) => Promise<{ readonly outputs: unknown; readonly complaints: readonly string[] }>;
  /** Whether nothing can run there any more: the device is lost, or a kernel hangs on it. */
  readonly isSpent: () => boolean;
}
