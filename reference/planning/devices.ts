// GPUs and the links between them as data. Peaks are of dense products, links in one direction of one GPU.
import type { StorageName } from "../model/storage.ts";

/** Bytes a second in one direction. */
export interface Link {
  readonly name: string;
  readonly bandwidth: number;
}

export interface DataSheet {
  /** Bytes. */
  readonly memory: number;
  /** Of its memory, bytes a second. */
  readonly bandwidth: number;
  /** Floating-point operations a second in products of this storage; accumulated in float32. */
  readonly peak: Partial<Record<StorageName, number>>;
  /** The best share of the peak that products were seen to reach, and by whom. */
  readonly products: { readonly share: number; readonly source: string };
  /** Inside a node of `perNode` GPUs. */
  readonly perNode: number;
  readonly inNode: Link;
  /** Between nodes; none where the vendor sells no such node. */
  readonly network?: Link;
  /** Watts. */
  readonly power: number;
  readonly source: string;
}

const GB = 1e9;
const TERA = 1e12;

const a100 = {
  peak: { bfloat16: 312 * TERA, float16: 312 * TERA, float32: 19.5 * TERA },
  products: {
    share: 0.869,
    source: "A100 SXM, 271.2 of 312 TFLOP/s: ML Engineering, table of maximum achievable matmul FLOPS",
  },
  perNode: 8,
  inNode: { name: "NVLink", bandwidth: 300 * GB },
  network: { name: "InfiniBand", bandwidth: 25 * GB },
  power: 400,
} as const;
const h100 = {
  peak: { bfloat16: 989.4 * TERA, float16: 989.4 * TERA, float32: 67 * TERA },
  products: {
    share: 0.803,
    source: "H100 SXM, 794.5 of 989 TFLOP/s: ML Engineering, table of maximum achievable matmul FLOPS",
  },
  perNode: 8,
  inNode: { name: "NVLink", bandwidth: 450 * GB },
  network: { name: "InfiniBand", bandwidth: 50 * GB },
  power: 700,
} as const;
const unmeasured = { share: 0.8, source: "assumed, near what A100 and H100 reach" } as const;

export const devices = {
  "v100-32gb": {
    memory: 32 * GB,
    bandwidth: 900 * GB,
    peak: { float16: 125 * TERA, float32: 15.7 * TERA },
    products: unmeasured,
    perNode: 8,
    inNode: { name: "NVLink", bandwidth: 150 * GB },
    network: { name: "InfiniBand", bandwidth: 6.25 * GB },
    power: 300,
    source:
      "NVIDIA V100 data sheet, SXM2: 125 TFLOP/s float16, 900 GB/s, NVLink 300 GB/s both ways, 300 W; DGX-1 data sheet: 8 GPUs, 4 × 100 Gb/s",
  },
  "a100-40gb": {
    ...a100,
    memory: 40 * GB,
    bandwidth: 1555 * GB,
    source:
      "NVIDIA A100 data sheet, 40GB SXM: 312 TFLOP/s, 1,555 GB/s, NVLink 600 GB/s both ways, 400 W; DGX A100 data sheet: 8 GPUs, 8 × 200 Gb/s",
  },
  "a100-80gb": {
    ...a100,
    memory: 80 * GB,
    bandwidth: 2039 * GB,
    source:
      "NVIDIA A100 data sheet, 80GB SXM: 312 TFLOP/s, 2,039 GB/s, NVLink 600 GB/s both ways, 400 W; DGX A100 data sheet: 8 GPUs, 8 × 200 Gb/s",
  },
  h100: {
    ...h100,
    memory: 80 * GB,
    bandwidth: 3350 * GB,
    source:
      "NVIDIA H100 data sheet, SXM: 1,979 TFLOP/s with sparsity, half of it dense, 3.35 TB/s, NVLink 900 GB/s both ways, 700 W; DGX H100 data sheet: 8 GPUs, 8 × 400 Gb/s",
  },
  h200: {
    ...h100,
    products: { share: 0.803, source: "as measured on H100, whose compute it has" },
    memory: 141 * GB,
    bandwidth: 4800 * GB,
    source:
      "NVIDIA H200 data sheet, SXM: 1,979 TFLOP/s with sparsity, half of it dense, 4.8 TB/s, NVLink 900 GB/s both ways, 700 W; DGX H200 data sheet: 8 GPUs, 8 × 400 Gb/s",
  },
  "rtx-4090": {
    memory: 24 * GB,
    bandwidth: 1008 * GB,
    peak: { bfloat16: 165.2 * TERA, float16: 165.2 * TERA, float32: 82.6 * TERA },
    products: unmeasured,
    perNode: 8,
    inNode: { name: "PCIe 4.0 × 16", bandwidth: 32 * GB },
    power: 450,
    source:
      "NVIDIA Ada GPU architecture whitepaper, appendix A: 165.2 TFLOP/s with float32 accumulation, 1,008 GB/s, 450 W; PCI Express 4.0: 16 lanes of 16 Gb/s",
  },
} as const satisfies Record<string, DataSheet>;
export type DeviceName = keyof typeof devices;

/**
 * Shares of the data sheets' figures that are reached in practice, where no device says otherwise: Isaev et al. 2023
 * (Calculon), whose description of an A100 cluster gives memory 0.9, NVLink 0.65, network 0.9.
 */
export const reached = { memory: 0.9, inNode: 0.65, network: 0.9 } as const;
