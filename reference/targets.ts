// The specifications' promises about float32 arithmetic, as data: each figure with its section.
//
// Every figure is a distance from the exact result, in units in the last place of the exact result. Where a table counts
// from the correctly rounded result instead (CUDA), half a unit is added.
import { dtypes, type FormatName } from "./dtype.ts";
import { power, powerOfTwo } from "./elementary.ts";
import type { SumOrder } from "./sum-order.ts";

/** The functions that a target has figures for. */
export const functionNames = [
  "divide",
  "sqrt",
  "inverseSqrt",
  "exp",
  "exp2",
  "log",
  "log2",
  "pow",
  "sin",
  "cos",
  "tanh",
  "sigmoid",
] as const;
export type FunctionName = (typeof functionNames)[number];

/**
 * For arguments between two limits, both included, the error is at most
 * (ulp + ulpPerArgument · |x|) units in the last place of the result + absolute + relative · |result|,
 * the rounding of the result included. For divide the argument is the magnitude of the divisor, for pow it is the base; a pow
 * without regions has the accuracy of exp2(y · log2(x)). Without regions for tanh and sigmoid a kernel that calls them is not covered.
 */
export interface Region {
  readonly from: number;
  readonly to: number;
  readonly ulp?: number;
  readonly ulpPerArgument?: number;
  readonly absolute?: number;
  readonly relative?: number;
}

/**
 * A device specification's promises about float32 arithmetic.
 *
 * @example
 * ```ts
 * import { type Target, targets } from "touchstone-llama";
 *
 * const exact: Target = { ...targets.cuda, name: "cuda without flushing", flushes: false };
 * ```
 */
export interface Target {
  readonly name: string;
  /** The document and sections that hold the figures. */
  readonly source: string;
  /** The largest relative error of + − ×: 2⁻²⁴ where rounding is to nearest, 2⁻²³ where its direction is not promised. */
  readonly u: number;
  /** Whether subnormal operands and results may become zero. */
  readonly flushes: boolean;
  /** Whether NaN and infinity behave as in IEEE 754: if so they are judged, otherwise only reported. */
  readonly promisesNonFinite: boolean;
  /**
   * Whether sums may be taken of several terms at once, so that they are no tree of additions; they are one if left out. u is then twice
   * what an alignment or a truncation loses of the magnitudes that are added.
   */
  readonly fusedSums?: boolean;
  /** The format that +, −, × and the functions compute in, their figures' units included; float32 if left out. */
  readonly arithmetic?: "float16";
  /** Whether exp and exp2 of exactly 0 are exactly 1, with no error at all; not promised if left out. */
  readonly expOfZero?: boolean;
  /** Each function's regions in ascending order; outside them nothing is promised. */
  readonly functions: Readonly<Record<FunctionName, readonly Region[]>>;
  /** Intermediates that the kernel declares as stored in a lower format, by the name that the op's bound gives them. */
  readonly stores?: Readonly<Record<string, FormatName>>;
  /** Sums whose order the kernel declares, by the name that the op's bound gives them. */
  readonly sums?: Readonly<Record<string, SumOrder>>;
  /** How many terms these sums have in a kernel, where the judge leaves out those that are exactly 0. */
  readonly sumLengths?: Readonly<Record<string, number>>;
}

const MIN_NORMAL = dtypes.float32.minNormal;
const MIN_SUBNORMAL = dtypes.float32.minSubnormal;
const MAX = dtypes.float32.max;
const EPSILON = powerOfTwo(-23); // one unit in the last place of 1; a unit of any normal x is at most x times this
/** No target here states these: its kernels compute σ from an exponential. A target file may. */
const unstated = { tanh: [], sigmoid: [] } as const;
const PI = Math.PI; // a double below π, so that the numbers from −π to π are those from −PI to PI

/** One region for all arguments from `from` to `to`. */
function everywhere(accuracy: Omit<Region, "from" | "to">, from = -MAX, to = MAX): readonly Region[] {
  return [{ from, to, ...accuracy }];
}

/** An absolute error `near` from ½ to 2, where a logarithm passes through zero, and `ulp` elsewhere. */
function logarithm(near: number, ulp: number, { minNormal, max } = dtypes.float32): readonly Region[] {
  return [
    { from: minNormal, to: 0.5, ulp },
    { from: 0.5, to: 2, absolute: near },
    { from: 2, to: max, ulp },
  ];
}

/**
 * WGSL (W3C, gpuweb/gpuweb wgsl/index.bs), section 15.7.
 *
 * 15.7.2 "Differences from IEEE-754": "No rounding mode is specified. An implementation may round an intermediate result
 * up or down"; "Any inputs or outputs of operations listed in Floating Point Accuracy may be flushed to zero";
 * "Implementations may assume that overflow, infinities, and NaNs are not present". 15.7.4: correctly rounded is either
 * neighbour, hence u = 2⁻²³; "The accuracy is undefined for input values outside that range". 15.7.4.1: the table. The
 * unit in the last place is the least distance between two numbers with the exact result between them (15.7.4).
 *
 * sqrt is "inherited from 1.0 / inverseSqrt(x)": (1 + 2.5ε) / (1 − 2ε) − 1 = 4.5ε / (1 − 2ε). Its quotient's divisor lies
 * between 2⁻⁶⁴ and 2⁶³, in the domain of the division; but at zero, and at subnormals, which may be flushed,
 * 1 / inverseSqrt(0) passes through an infinity, and nothing is promised. The same holds for inverseSqrt, log and log2. pow is
 * "inherited from exp2(y * log2(x))".
 */
const wgsl: Target = {
  name: "wgsl",
  source: "WGSL, section 15.7 Floating Point Evaluation",
  u: powerOfTwo(-23),
  flushes: true,
  promisesNonFinite: false,
  functions: {
    ...unstated,
    divide: everywhere({ ulp: 2.5 }, powerOfTwo(-126), powerOfTwo(126)),
    sqrt: everywhere({ relative: (4.5 * EPSILON) / (1 - 2 * EPSILON) }, MIN_NORMAL),
    inverseSqrt: everywhere({ ulp: 2 }, MIN_NORMAL),
    exp: everywhere({ ulp: 3, ulpPerArgument: 2 }),
    exp2: everywhere({ ulp: 3, ulpPerArgument: 2 }),
    log: logarithm(powerOfTwo(-21), 3),
    log2: logarithm(powerOfTwo(-21), 3),
    pow: [],
    sin: everywhere({ absolute: powerOfTwo(-11) }, -PI, PI),
    cos: everywhere({ absolute: powerOfTwo(-11) }, -PI, PI),
  },
};

const HALF = dtypes.float16;
const HALF_EPSILON = powerOfTwo(-10);

/**
 * WGSL with f16 (section 15.7.4.1, the column "Accuracy for f16"), for kernels that compute in it: u = 2⁻¹⁰, either neighbour, and the rest as in
 * f32. From 1,024 terms on a sum has no bound, since n · u ≥ 1. sqrt is again 1.0 / inverseSqrt(x), pow exp2(y · log2(x)).
 */
const wgslHalf: Target = {
  ...wgsl,
  name: "wgsl-f16",
  u: HALF_EPSILON,
  arithmetic: "float16",
  functions: {
    ...unstated,
    divide: everywhere({ ulp: 2.5 }, powerOfTwo(-14), powerOfTwo(14)),
    sqrt: everywhere({ relative: (4.5 * HALF_EPSILON) / (1 - 2 * HALF_EPSILON) }, HALF.minNormal, HALF.max),
    inverseSqrt: everywhere({ ulp: 2 }, HALF.minNormal, HALF.max),
    exp: everywhere({ ulp: 1, ulpPerArgument: 2 }, -HALF.max, HALF.max),
    exp2: everywhere({ ulp: 1, ulpPerArgument: 2 }, -HALF.max, HALF.max),
    log: logarithm(powerOfTwo(-7), 3, HALF),
    log2: logarithm(powerOfTwo(-7), 3, HALF),
    pow: [],
    sin: everywhere({ absolute: powerOfTwo(-7) }, -PI, PI),
    cos: everywhere({ absolute: powerOfTwo(-7) }, -PI, PI),
  },
};

/**
 * IEEE 754-2019 with a C library: roundTiesToEven (4.3.1), gradual underflow (7.5), + − × ÷ √ correctly rounded (5.4.1).
 *
 * The standard only recommends the other functions (9.2), so their accuracy is an assumption: 1 unit in the last place.
 * SLEEF states it for its functions ending in u10, which PyTorch uses on processors (SLEEF, "Math library reference":
 * 1.0 ULP; sinf and cosf within ±10²⁸); the GNU C Library lists it for float exp, exp2, log, log2, pow, sin, cos on x86-64
 * (manual, "Known Maximum Errors in Math Functions"). inverseSqrt is the quotient 1 / √x:
 * (1 + u) / (1 − u) − 1 = 2u / (1 − u). That exp(±0) and exp2(±0) are 1 is no assumption: a result that is a float32 number is
 * exact in the functions of 9.2, and C23 says it of every library that follows annex F (F.10.3.1, F.10.3.4).
 */
const ieee: Target = {
  name: "ieee",
  source: "IEEE 754-2019, sections 4.3, 5.4 and 7; other functions as in SLEEF (1.0 ULP) and the GNU C Library",
  u: powerOfTwo(-24),
  flushes: false,
  promisesNonFinite: true,
  expOfZero: true,
  functions: {
    ...unstated,
    divide: everywhere({ ulp: 0.5 }, MIN_SUBNORMAL),
    sqrt: everywhere({ ulp: 0.5 }, 0),
    inverseSqrt: everywhere({ relative: (2 * powerOfTwo(-24)) / (1 - powerOfTwo(-24)) }, MIN_SUBNORMAL),
    exp: everywhere({ ulp: 1 }),
    exp2: everywhere({ ulp: 1 }),
    log: everywhere({ ulp: 1 }, MIN_SUBNORMAL),
    log2: everywhere({ ulp: 1 }, MIN_SUBNORMAL),
    pow: everywhere({ ulp: 1 }, MIN_SUBNORMAL),
    sin: everywhere({ ulp: 1 }, -powerOfTwo(93), powerOfTwo(93)),
    cos: everywhere({ ulp: 1 }, -powerOfTwo(93), powerOfTwo(93)),
  },
};

/**
 * CUDA without options (-ftz=false -prec-div=true -prec-sqrt=true): CUDA C++ Programming Guide 13.0, section 17.1, Table 17,
 * whose maximum is "the difference in ulps between the result returned by the CUDA library function and a correctly
 * rounded single-precision result": half a unit is added to each. The guide calls them bounds "generated from extensive
 * but not exhaustive tests, so they are not guaranteed". LLVM libc's GPU conformance tests ran expf, exp2f, logf, log2f, sinf and cosf on every float32
 * number against correctly rounded results (an RTX 4000 Ada): 2, 2, 1, 1, 1, 2, none beyond the table. That expf(0) and exp2f(0) are 1 has no source that
 * was read: the Math API says it of exp for double precision, and libdevice's page refers to the table. A device that breaks it is named in a FAIL.
 */
const cuda: Target = {
  name: "cuda",
  source: "CUDA C++ Programming Guide 13.0, section 17.1, Table 17",
  u: powerOfTwo(-24),
  flushes: false,
  promisesNonFinite: true,
  expOfZero: true,
  functions: {
    ...unstated,
    divide: everywhere({ ulp: 0 + 0.5 }, MIN_SUBNORMAL),
    sqrt: everywhere({ ulp: 0 + 0.5 }, 0),
    inverseSqrt: everywhere({ ulp: 2 + 0.5 }, MIN_SUBNORMAL),
    exp: everywhere({ ulp: 2 + 0.5 }),
    exp2: everywhere({ ulp: 2 + 0.5 }),
    log: everywhere({ ulp: 1 + 0.5 }, MIN_SUBNORMAL),
    log2: everywhere({ ulp: 1 + 0.5 }, MIN_SUBNORMAL),
    pow: everywhere({ ulp: 4 + 0.5 }, MIN_SUBNORMAL),
    sin: everywhere({ ulp: 2 + 0.5 }),
    cos: everywhere({ ulp: 2 + 0.5 }),
  },
};

/**
 * CUDA with -use_fast_math, which means -ftz=true -prec-div=false -prec-sqrt=false and the intrinsics of Table 20:
 * __fdividef, __expf, __logf, __log2f, __sinf, __cosf, with the bounds of Table 21 (section 17.2). exp2f and rsqrtf keep
 * Table 17's; sqrtf is 3 there for the oldest devices. Table 21 does not say from which result its units count, so half a
 * unit is added as in Table 17. __expf's 2 + ⌊|1.173x|⌋ is used without the floor. __powf is
 * "derived from its implementation as exp2f(y * __log2f(x))". Beyond 2¹²⁶, __fdividef returns 0. Nothing is said of __expf(0).
 */
const cudaFastMath: Target = {
  name: "cuda-fast-math",
  source: "CUDA C++ Programming Guide 13.0, sections 17.1 and 17.2, Tables 17, 20 and 21",
  u: powerOfTwo(-24),
  flushes: true,
  promisesNonFinite: false, // "it may also cause some differences in special case handling" (17.2)
  functions: {
    ...unstated,
    divide: everywhere({ ulp: 2 + 0.5 }, powerOfTwo(-126), powerOfTwo(126)),
    sqrt: everywhere({ ulp: 3 + 0.5 }, 0),
    inverseSqrt: everywhere({ ulp: 2 + 0.5 }, MIN_NORMAL),
    exp: everywhere({ ulp: 2 + 0.5, ulpPerArgument: 1.173 }),
    exp2: everywhere({ ulp: 2 + 0.5 }),
    log: logarithm(power(2, -21.41), 3 + 0.5),
    log2: logarithm(powerOfTwo(-22), 2 + 0.5),
    pow: [],
    sin: everywhere({ absolute: power(2, -21.41) }, -PI, PI),
    cos: everywhere({ absolute: power(2, -21.19) }, -PI, PI),
  },
};

/**
 * Metal in either mode: for each function the looser of Table 8.1 (precise) and Table 8.2 (fast math, "the default"),
 * Metal Shading Language Specification, section 8.4, whose reference is "the infinitely precise result". 8.2: "Either
 * round ties to even or round toward zero rounding mode may be supported", hence u = 2⁻²³. 8.1: denormalized numbers
 * "passed as input to or produced as the output of" an operation "may be flushed to zero", and with fast math "the
 * behavior of handling NaN or INF is undefined".
 *
 * sqrt is "x*rsqrt(x) with special cases handled correctly", rsqrt within 2 ulp: (1 + 2ε)(1 + ε) − 1. exp is the larger of
 * 4 and 3 + ⌊|2x|⌋ ulp. pow is within 16 ulp, or exp2(y * log2(x)).
 */
const metal: Target = {
  name: "metal",
  source: "Metal Shading Language Specification 4, sections 8.1 to 8.5, Tables 8.1 and 8.2",
  u: powerOfTwo(-23),
  flushes: true,
  promisesNonFinite: false,
  functions: {
    ...unstated,
    divide: everywhere({ ulp: 2.5 }, powerOfTwo(-126), powerOfTwo(126)),
    sqrt: everywhere({ relative: 3 * EPSILON + 2 * EPSILON * EPSILON }, 0),
    inverseSqrt: everywhere({ ulp: 2 }, MIN_NORMAL),
    exp: metalExponential(),
    exp2: metalExponential(),
    log: logarithm(powerOfTwo(-21), 4),
    log2: logarithm(powerOfTwo(-22), 4),
    pow: everywhere({ ulp: 16 }, MIN_NORMAL),
    sin: everywhere({ absolute: powerOfTwo(-13) }, -PI, PI),
    cos: everywhere({ absolute: powerOfTwo(-13) }, -PI, PI),
  },
};

function metalExponential(): readonly Region[] {
  return [
    { from: -MAX, to: -0.5, ulp: 3, ulpPerArgument: 2 },
    { from: -0.5, to: 0.5, ulp: 4 },
    { from: 0.5, to: MAX, ulp: 3, ulpPerArgument: 2 },
  ];
}

/**
 * NVIDIA's tensor cores: products exact, k of them and the accumulator aligned to the largest exponent and truncated there,
 * their sum truncated once more; subnormals kept (Fasi, Higham, Mikaitis and Pranesh 2021, PeerJ Computer Science 7:e330).
 * Each of the k + 1 alignments and the last truncation lose at most 2⁻²³ of the block's Σ|ab| and accumulator, so n products
 * in n/k blocks lose (n/k)(k + 2) · 2⁻²³ ≤ n · 2⁻²² of it, k being 4 or more: u = 2⁻²², as if every product and every
 * addition lost that much. Low inputs are for the kernel to declare; the rest of the kernel runs as in the target cuda.
 * It does not hold for 8-bit inputs on Hopper, whose alignment keeps fewer bits.
 */
const matrixUnits: Target = {
  ...cuda,
  name: "matrix-units",
  source: "Fasi et al. 2021, Numerical behavior of NVIDIA tensor cores; functions as in the target cuda",
  u: powerOfTwo(-22),
  fusedSums: true,
  promisesNonFinite: false, // not documented
};

/**
 * OpenCL without -cl-fast-relaxed-math, full profile (OpenCL C 3.0, section 7.4 "Relative Error as ULPs"; OpenCL API 3.0, CL_DEVICE_SINGLE_FP_CONFIG):
 * + − × correctly rounded to nearest, "x / y" and "1.0 / x" within 2.5 ulp, sqrt 3, rsqrt 2, exp, exp2, log and log2 3, pow 16, sin and cos 4,
 * from the infinitely precise result. CL_FP_ROUND_TO_NEAREST and CL_FP_INF_NAN are mandatory, CL_FP_DENORM is not: subnormal numbers may be
 * flushed. 7.5: "The edge case behavior of the math functions shall conform to sections F.9 and G.6 of the C99 Specification", where
 * exp(±0) and exp2(±0) are 1 (F.9.3.1, F.9.3.2). SYCL 2020 refers to this table (section 4.17).
 */
const opencl: Target = {
  name: "opencl",
  source: "OpenCL C 3.0, section 7.4 Relative Error as ULPs, full profile",
  u: powerOfTwo(-24),
  flushes: true,
  promisesNonFinite: true,
  expOfZero: true,
  functions: {
    ...unstated,
    divide: everywhere({ ulp: 2.5 }, MIN_NORMAL),
    sqrt: everywhere({ ulp: 3 }, 0),
    inverseSqrt: everywhere({ ulp: 2 }, MIN_NORMAL),
    exp: everywhere({ ulp: 3 }),
    exp2: everywhere({ ulp: 3 }),
    log: everywhere({ ulp: 3 }, MIN_NORMAL),
    log2: everywhere({ ulp: 3 }, MIN_NORMAL),
    pow: everywhere({ ulp: 16 }, MIN_NORMAL),
    sin: everywhere({ ulp: 4 }),
    cos: everywhere({ ulp: 4 }),
  },
};

/** How far log2 e as a float32 number, and its product with an argument, move e^x for each 1 of |x|, in units in the last place of e^x. */
const LOG2E_STEPS = (Math.abs(Math.fround(Math.LOG2E) / Math.LOG2E - 1) / powerOfTwo(-24) + 1) * (1 + powerOfTwo(-16));

/**
 * HIP on AMD's devices, without -ffast-math. ROCm's page "HIP math API" has "maximum error bounds" in units of the C++ function's result, measured on
 * parts of the range: expf 1, exp2f 1, logf 2, log2f 1, sqrtf 1. LLVM libc's documentation (headers/math, "GPU Conformance") has the largest distance from
 * the correctly rounded result over every float32 number, HIP Math on a Radeon RX 6950 XT: the same for expf, exp2f, logf and log2f, 2 for sinf and
 * cosf. Half a unit is added to each. rsqrtf (1 on [0.01, 100]) and powf (1 on a random sample) have no figure for all arguments: they have OpenCL's, 2 and
 * 16, whose full profile AMD's OpenCL runs from the same device library, OCML. Quotients are correctly rounded (clang,
 * -fhip-fp32-correctly-rounded-divide-sqrt, on by default). No document was found that says expf(0) = 1.
 */
const hip: Target = {
  name: "hip",
  source:
    "ROCm, HIP math API; LLVM libc, GPU Conformance (every float32 number, one device); OpenCL C 3.0, section 7.4, for rsqrt and pow",
  u: powerOfTwo(-24),
  flushes: false,
  promisesNonFinite: true,
  functions: {
    ...unstated,
    divide: everywhere({ ulp: 0 + 0.5 }, MIN_SUBNORMAL),
    sqrt: everywhere({ ulp: 1 + 0.5 }, 0),
    inverseSqrt: everywhere({ ulp: 2 }, MIN_SUBNORMAL),
    exp: everywhere({ ulp: 1 + 0.5 }),
    exp2: everywhere({ ulp: 1 + 0.5 }),
    log: everywhere({ ulp: 2 + 0.5 }, MIN_SUBNORMAL),
    log2: everywhere({ ulp: 1 + 0.5 }, MIN_SUBNORMAL),
    pow: everywhere({ ulp: 16 }, MIN_SUBNORMAL),
    sin: everywhere({ ulp: 2 + 0.5 }),
    cos: everywhere({ ulp: 2 + 0.5 }),
  },
};

/**
 * Triton on NVIDIA's devices, as its compiler lowers float32 (triton-lang/triton, ElementwiseOpToLLVM.cpp; PTX ISA 9, section 9.7.3): "/" is div.full,
 * whose "maximum ulp error is 2 across the full range"; tl.exp2 is ex2.approx, "2 ulp from correctly rounded result", with +1.0 for ±0; tl.exp
 * is ex2.approx of x · log2 e, both rounded, which a unit of at least u times the result turns into 1.22 · |x| units; tl.sqrt is sqrt.approx, "maximum relative
 * error … 2⁻²³"; tl.rsqrt rsqrt.approx, "over the entire positive finite floating-point range … 2⁻²²·⁹". (FDivOpConversion and ExpOpConversionApprox in its source
 * say so of "/" and exp; for tl.rsqrt and tl.log no line was found that chooses between PTX and libdevice, so these have the wider of both.) It sets nvvm-reflect-ftz, so that functions flush. tl.log may be lg2.approx (2⁻²² of 1 from 0.5
 * to 2, of the result elsewhere) times ln 2, whose rounding and the product's make that 1.04 and 1.5 times as much, or libdevice's logf, which is
 * nearer; sin, cos and pow are libdevice's (CUDA C++ Programming Guide 13.0, Table 17). div_rn and sqrt_rn are nearer than "/" and sqrt.
 *
 * tl.dot runs on matrix units where its operands are low: that is for a target file to say (docs/targets.md).
 */
const triton: Target = {
  name: "triton",
  source: "PTX ISA 9, section 9.7.3, as Triton lowers to it; CUDA C++ Programming Guide 13.0, Table 17",
  u: powerOfTwo(-24),
  flushes: true,
  promisesNonFinite: false, // div.full "is not fully IEEE 754 compliant"
  expOfZero: true,
  functions: {
    ...unstated,
    divide: everywhere({ ulp: 2 + 0.5 }, MIN_NORMAL),
    sqrt: everywhere({ relative: powerOfTwo(-23) }, 0),
    inverseSqrt: everywhere({ relative: power(2, -22.9) }, MIN_NORMAL),
    exp: everywhere({ ulp: 2 + 0.5, ulpPerArgument: LOG2E_STEPS }),
    exp2: everywhere({ ulp: 2 + 0.5 }),
    log: approximateLogarithm(1.05 * powerOfTwo(-22), (1.5 + powerOfTwo(-10)) * powerOfTwo(-22)),
    log2: approximateLogarithm(powerOfTwo(-22), powerOfTwo(-22)),
    pow: everywhere({ ulp: 4 + 0.5 }, MIN_NORMAL),
    sin: everywhere({ ulp: 2 + 0.5 }),
    cos: everywhere({ ulp: 2 + 0.5 }),
  },
};

function approximateLogarithm(near: number, relative: number): readonly Region[] {
  return [
    { from: MIN_NORMAL, to: 0.5, relative },
    { from: 0.5, to: 2, absolute: near },
    { from: 2, to: MAX, relative },
  ];
}

/**
 * Vulkan's shaders without float controls (Vulkan 1.4, appendix A "Precision and Operation of SPIR-V Instructions"): the same figures as
 * WGSL's, which are taken from there. "Correctly rounded" is either neighbour; subnormal numbers may be flushed; NaN and infinity need not be
 * kept without SignedZeroInfNanPreserve.
 */
const vulkan: Target = {
  ...wgsl,
  name: "vulkan",
  source: "Vulkan 1.4, appendix A, Precision and Operation of SPIR-V Instructions",
};

/**
 * The targets by name.
 *
 * @example
 * ```ts
 * import { oracle, targets, tensor } from "touchstone-llama";
 *
 * const gate = tensor(new Float32Array([1]), [1, 1]);
 * const problem = { op: "swiglu.forward", inputs: { gate, up: gate }, scalars: {} } as const;
 * oracle(problem, { target: targets.ieee }).y.bound.data[0]; // the narrowest
 * oracle(problem, { target: targets.wgsl }).y.bound.data[0]; // WGSL promises less of exp and of a quotient
 * ```
 */
export const targets = {
  wgsl,
  "wgsl-f16": wgslHalf,
  ieee,
  cuda,
  "cuda-fast-math": cudaFastMath,
  metal,
  "matrix-units": matrixUnits,
  opencl,
  hip,
  triton,
  vulkan,
} as const satisfies Record<string, Target>;
