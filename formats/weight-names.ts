// What another project calls the weights of the one table, both ways.
import { layerWeightName, type LayerWeights } from "../reference/weights.ts";

export interface Naming {
  /** The table's name of a tensor of the file; "?" and its own name, which the table has not, if it is no weight. */
  nameOf(fileName: string): string;
  /** The file's name of a weight of the table. */
  fileNameOf(name: string): string;
}

/** `layer` stands before a layer's number and "." before what follows; `rest` are the weights outside the layers. */
export function naming(
  layer: string,
  layerNames: Readonly<Record<keyof LayerWeights, string>>,
  rest: Readonly<Record<"tok_embeddings.weight" | "norm.weight" | "output.weight", string>>,
): Naming {
  const ofLayers = new Map(Object.entries(layerNames).map(([weight, name]) => [name, weight as keyof LayerWeights]));
  const outside = new Map(Object.entries(rest).map(([name, fileName]) => [fileName, name]));

  function nameOf(fileName: string): string {
    const known = outside.get(fileName);
    if (known !== undefined) return known;
    if (!fileName.startsWith(layer)) return `?${fileName}`;
    const [, i, behind] = /^(0|[1-9]\d{0,8})\.(.*)$/s.exec(fileName.slice(layer.length)) ?? [];
    const weight = ofLayers.get(behind);
    return weight === undefined ? `?${fileName}` : layerWeightName(Number(i), weight);
  }
  function fileNameOf(name: string): string {
    const [, i] = /^layers\.(\d+)\./.exec(name) ?? [];
    if (i === undefined) return (rest as Record<string, string>)[name] ?? name;
    for (const [weight, fileName] of Object.entries(layerNames)) {
      if (layerWeightName(Number(i), weight as keyof LayerWeights) === name) return `${layer}${i}.${fileName}`;
    }
    return name;
  }
  return { nameOf, fileNameOf };
}
