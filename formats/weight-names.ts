// Another project's names for the weights of the one table, both ways.
import { layerWeightName, type LayerWeights } from "../reference/weights.ts";

export interface Naming {
  /** The table's name for a tensor of the file; if it is not a weight, "?" and its own name, which is not in the table. */
  nameOf(fileName: string): string;
  /** The file's name for a weight of the table. */
  fileNameOf(name: string): string;
}

/** `layer` comes before a layer's number, "." and the weight's name after it; `rest` names the weights outside the layers. */
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
