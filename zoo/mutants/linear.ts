import type { Mutant } from "./mutant.ts";

const forward = { op: "linear.forward", file: "linear.forward.wgsl" } as const;
const backward = { op: "linear.backward", file: "linear.backward.wgsl" } as const;

export const linear: readonly Mutant[] = [
  {
    ...forward,
    kind: "tail",
    what: "the last column of x and w is left out of the sum",
    from: "for (var firstC = 0u; firstC < dims.C;",
    to: "for (var firstC = 0u; firstC + 1 < dims.C;",
  },
  {
    ...forward,
    kind: "tail",
    what: "a last tile that is not full is left out of the sum",
    from: "for (var firstC = 0u; firstC < dims.C;",
    to: "for (var firstC = 0u; firstC + DEPTH <= dims.C;",
  },
  {
    ...forward,
    kind: "mask",
    what: "columns beyond the end of x and w are added: they are the next row's first ones",
    from: "if (r < dims.R && c < dims.C) { return x",
    to: "if (r < dims.R && c <= dims.C) { return x",
  },
  {
    ...forward,
    kind: "mask",
    what: "w is read beyond its last column",
    from: "if (o < dims.O && c < dims.C) { return w",
    to: "if (o < dims.O) { return w",
  },
  {
    ...forward,
    kind: "tail",
    what: "a column beyond the last is written into the next row",
    from: "if (r < dims.R && o < dims.O) { y",
    to: "if (r < dims.R && o <= dims.O) { y",
  },
  {
    ...forward,
    kind: "tail",
    what: "the last row is not written",
    from: "if (r < dims.R && o < dims.O) { y",
    to: "if (r + 1 < dims.R && o < dims.O) { y",
  },
  {
    ...forward,
    kind: "index",
    what: "tiles are counted down where they lie across",
    from: "let firstR = tile / tilesAcross * 4 * SIDE;",
    to: "let firstR = tile / ((dims.R + 4 * SIDE - 1) / (4 * SIDE)) * 4 * SIDE;",
  },
  {
    ...forward,
    kind: "index",
    what: "y is stored as its transpose",
    from: "y[r * dims.O + o] = sum[i][j];",
    to: "y[o * dims.R + r] = sum[i][j];",
  },
  {
    ...forward,
    kind: "index",
    what: "w is read as if it were stored [C, O]",
    from: "return w[o * dims.C + c];",
    to: "return w[c * dims.O + o];",
  },
  {
    ...forward,
    kind: "tail",
    what: "as many tiles as fit into y whole",
    from: "let tilesAcross = (dims.O + 4 * SIDE - 1) / (4 * SIDE);",
    to: "let tilesAcross = max(dims.O / (4 * SIDE), 1);",
  },
  {
    ...forward,
    kind: "formula",
    what: "the sum keeps the last tile alone",
    from: "    workgroupBarrier();  // the tiles are full",
    to: "    workgroupBarrier(); sum = array<vec4<f32>, 4>();",
  },
  {
    ...forward,
    kind: "synchronisation",
    what: "the tiles are read before all of them is written",
    from: "    workgroupBarrier();  // the tiles are full",
    to: "",
    source: "ggml-org/llama.cpp 13438",
  },
  {
    ...forward,
    kind: "synchronisation",
    what: "the tiles are filled anew while others still read them",
    from: "    workgroupBarrier();  // the tiles may be filled anew",
    to: "",
    source: "microsoft/onnxruntime 23663",
  },
  {
    ...forward,
    kind: "numerical",
    what: "x is rounded to float16 in the tile",
    from: "let a = xTile[local.y * DEPTH + k];",
    to: "let a = quantizeToF16(xTile[local.y * DEPTH + k]);",
  },
  {
    ...forward,
    kind: "numerical",
    what: "w is cut to the 10 bits of TF32",
    from: "let b = wTile[local.x * DEPTH + k];",
    to: "let b = bitcast<vec4<f32>>(bitcast<vec4<u32>>(wTile[local.x * DEPTH + k]) & vec4(0xffffe000u));",
  },

  {
    ...backward,
    kind: "tail",
    what: "the last output is left out of dx",
    from: "for (var firstO = 0u; firstO < dims.O;",
    to: "for (var firstO = 0u; firstO + 1 < dims.O;",
  },
  {
    ...backward,
    kind: "tail",
    what: "a last tile of rows that is not full is left out of dw",
    from: "for (var firstR = 0u; firstR < dims.R;",
    to: "for (var firstR = 0u; firstR + DEPTH <= dims.R;",
  },
  {
    ...backward,
    kind: "mask",
    what: "dy is read beyond its last column",
    from: "if (r < dims.R && o < dims.O) { return dy",
    to: "if (r < dims.R) { return dy",
  },
  {
    ...backward,
    kind: "mask",
    what: "dy is read beyond its last row",
    from: "if (r < dims.R && o < dims.O) { return dy",
    to: "if (o < dims.O) { return dy",
  },
  {
    ...backward,
    kind: "tail",
    what: "a column of dx beyond the last is written into the next row",
    from: "if (r < dims.R && c < dims.C) { dx",
    to: "if (r < dims.R && c <= dims.C) { dx",
  },
  {
    ...backward,
    kind: "tail",
    what: "the last row of dw is not written",
    from: "if (o < dims.O && c < dims.C) { dw",
    to: "if (o + 1 < dims.O && c < dims.C) { dw",
  },
  {
    ...backward,
    kind: "index",
    what: "w is read as its transpose: dx = dy · wᵀ",
    from: "return w[o * dims.C + c];",
    to: "return w[c * dims.O + o];",
  },
  {
    ...backward,
    kind: "index",
    what: "dw is stored as its transpose",
    from: "dw[o * dims.C + c] = sum[i][j];",
    to: "dw[c * dims.O + o] = sum[i][j];",
  },
  {
    ...backward,
    kind: "index",
    what: "dw's four rows of a vector all read the first one",
    from: "dyAt(r, o), dyAt(r, o + 1), dyAt(r, o + 2), dyAt(r, o + 3)",
    to: "dyAt(r, o), dyAt(r, o), dyAt(r, o), dyAt(r, o)",
  },
  {
    ...backward,
    kind: "formula",
    what: "each term is added twice",
    from: "    sum[3] += a.w * b;",
    to: "    sum[3] += a.w * b; sum[3] += a.w * b;",
  },
  { ...backward, kind: "memory", what: "dw is not written", from: "{ dw[o * dims.C + c] = sum[i][j]; }", to: "{}" },
  {
    ...backward,
    kind: "numerical",
    what: "dy is rounded to float16 in the tile",
    from: "let a = left[local.y * DEPTH + k];",
    to: "let a = quantizeToF16(left[local.y * DEPTH + k]);",
  },
  {
    ...backward,
    kind: "numerical",
    what: "the other factor is cut to the 10 bits of TF32",
    from: "let b = right[k * SIDE + local.x];",
    to: "let b = bitcast<vec4<f32>>(bitcast<vec4<u32>>(right[k * SIDE + local.x]) & vec4(0xffffe000u));",
  },
  {
    ...backward,
    kind: "synchronisation",
    what: "dx: the tiles are read before all of them is written",
    from: `right[e] = vec4(wAt(term, c), wAt(term, c + 1), wAt(term, c + 2), wAt(term, c + 3));
    }
    workgroupBarrier();`,
    to: `right[e] = vec4(wAt(term, c), wAt(term, c + 1), wAt(term, c + 2), wAt(term, c + 3));
    }`,
    source: "ggml-org/llama.cpp 13438",
  },
  {
    ...backward,
    kind: "synchronisation",
    what: "dw: the tiles are read before all of them is written",
    from: `right[e] = vec4(xAt(r, c), xAt(r, c + 1), xAt(r, c + 2), xAt(r, c + 3));
    }
    workgroupBarrier();`,
    to: `right[e] = vec4(xAt(r, c), xAt(r, c + 1), xAt(r, c + 2), xAt(r, c + 3));
    }`,
    source: "ggml-org/llama.cpp 13438",
  },
  {
    ...backward,
    kind: "synchronisation",
    what: "dx: the tiles are filled anew while others still read them",
    from: `addOuterProducts(local);
    workgroupBarrier();  // the tiles may be filled anew
  }

  // 4. Store what lies inside dx.`,
    to: `addOuterProducts(local);
  }

  // 4. Store what lies inside dx.`,
    source: "microsoft/onnxruntime 23663",
  },
];
