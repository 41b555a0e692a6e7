// How long a piece of work takes on one GPU of a layout: the slower of arithmetic and memory (Williams et al. 2009); a message
// takes its bytes over the link's bandwidth. Starting a kernel or a message takes no time.
import { type RingCollective, sentBytes } from "./collectives.ts";
import { type DataSheet, type Link, reached } from "./devices.ts";
import type { Layout } from "./layout.ts";
import type { StorageName } from "../model/storage.ts";
import type { Lane } from "./timeline.ts";

export interface Machine {
  /** Seconds of a matrix product: its floating-point operations, and the bytes that it reads and writes. */
  product(flops: number, bytes: number): number;
  /** Seconds of an op that only reads and writes memory. */
  stream(bytes: number): number;
  readonly tensor: Group;
  readonly data: Group;
}

/** Ranks that talk to one another, and the link they do it over. */
export interface Group {
  readonly ranks: number;
  readonly lane: Lane;
  readonly link: string;
  /** Bytes a second that one rank sends, as reached. */
  readonly bandwidth: number;
  seconds(collective: RingCollective, bytes: number): number;
}

/** Throws RangeError where the device has no products of this storage, or no network though the layout needs one. */
export function machineOf(device: DataSheet, name: string, layout: Layout, dtype: StorageName): Machine {
  const peak = device.peak[dtype];
  if (peak === undefined) {
    const other = dtype === "bfloat16" ? "float16" : "float32";
    throw new RangeError(`${name} has no products in ${dtype}; nearest legal: ${other}`);
  }
  const seconds = (bytes: number): number => bytes / (device.bandwidth * reached.memory);
  const inANode = Math.max(1, Math.floor(device.perNode / layout.tensor));
  return {
    product: (flops, bytes) => Math.max(flops / (peak * device.products.share), seconds(bytes)),
    stream: seconds,
    tensor: group(device, name, layout.tensor, layout.tensor <= device.perNode, 1),
    data: group(device, name, layout.data, layout.data * layout.tensor <= device.perNode, inANode),
  };
}

// Ranks of one group in a node enter and leave it once, over the network cards of all of them.
function group(device: DataSheet, name: string, ranks: number, inNode: boolean, cards: number): Group {
  const within = device.inNode.bandwidth * reached.inNode;
  if (inNode || ranks === 1) return groupOver(device.inNode, ranks, "in-node", within);
  if (device.network === undefined) {
    throw new RangeError(
      `nothing joins nodes of ${name}: a group of ${ranks} ranks is larger than ${device.perNode} GPUs; ` +
        `nearest legal: ${device.perNode} GPUs, or a network's bandwidth`,
    );
  }
  const across = device.network.bandwidth * reached.network * Math.min(cards, ranks);
  return groupOver(device.network, ranks, "network", Math.min(within, across));
}

function groupOver(link: Link, ranks: number, lane: Lane, bandwidth: number): Group {
  return {
    ranks,
    lane,
    link: link.name,
    bandwidth,
    seconds: (collective, bytes) => sentBytes(collective, bytes, ranks) / bandwidth,
  };
}
