"""A step with gradient accumulation in PyTorch, recorded under the names of trace/README.md.

    python3 record.py sound OUT.safetensors    losses are sums over targets, divided by those of the whole batch
    python3 record.py means OUT.safetensors    the mean of the micro-batches' means (transformers 34191)

One step, so no hyperparameters; hooks and .grad alone, so no statistics, tables, terms of sums or shares. PyTorch 1.13.
"""
import json
import math
import struct
import sys

import torch
import torch.nn.functional as F

kind, path = sys.argv[1:]
torch.manual_seed(1)
torch.set_num_threads(1)
B, T, parts = 3, 4, 3
C, NH, NKV, HS, FFN, V, EPS, THETA = 8, 2, 1, 4, 6, 7, 1e-5, 10000.0

shapes = {
    "tok_embeddings": (V, C),
    "layers.0.attention.wq": (NH * HS, C),
    "layers.0.attention.wk": (NKV * HS, C),
    "layers.0.attention.wv": (NKV * HS, C),
    "layers.0.attention.wo": (C, NH * HS),
    "layers.0.feed_forward.w1": (FFN, C),
    "layers.0.feed_forward.w2": (C, FFN),
    "layers.0.feed_forward.w3": (FFN, C),
    "layers.0.attention_norm": (C,),
    "layers.0.ffn_norm": (C,),
    "norm": (C,),
}
w = {name: torch.nn.Parameter(0.4 * torch.randn(shape) + (len(shape) == 1)) for name, shape in shapes.items()}
tokens = torch.randint(0, V, (B, T))
targets = torch.randint(0, V, (B, T))
targets[0, 1:] = -100  # one target counts there, four in the others
angles = torch.outer(torch.arange(T), THETA ** (-torch.arange(0, HS, 2) / HS)).double()
cos, sin = angles.cos().float()[:, None], angles.sin().float()[:, None]


def rope(x):
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


def rmsnorm(x, name):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * w[name]


def forward(ids, keep):
    def at(name, t):
        t.retain_grad()
        keep[name] = t
        return t

    def layer(name, t):
        return at(f"layers.0.{name}", t)

    def product(x, name):
        return F.linear(x, w[f"layers.0.{name}"])

    b = ids.shape[0]
    x = at("embedding", F.embedding(ids, w["tok_embeddings"]))
    n = layer("attention_norm", rmsnorm(x, "layers.0.attention_norm"))
    q = layer("q", rope(layer("q_projection", product(n, "attention.wq").view(b, T, NH, HS))))
    k = layer("k", rope(layer("k_projection", product(n, "attention.wk").view(b, T, NKV, HS))))
    v = layer("v", product(n, "attention.wv").view(b, T, NKV, HS))
    k, v = k.repeat_interleave(NH // NKV, 2), v.repeat_interleave(NH // NKV, 2)
    scores = torch.einsum("bthd,bshd->bhts", q, k) / math.sqrt(HS)
    weights = scores.masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), -torch.inf).softmax(-1)
    y = layer("attention", torch.einsum("bhts,bshd->bthd", weights, v).reshape(b, T, NH * HS))
    a = layer("attention_residual", x + layer("attention_output", product(y, "attention.wo")))
    m = layer("ffn_norm", rmsnorm(a, "layers.0.ffn_norm"))
    gate, up = layer("gate", product(m, "feed_forward.w1")), layer("up", product(m, "feed_forward.w3"))
    h = layer("swiglu", F.silu(gate) * up)
    x = layer("ffn_residual", a + layer("ffn_output", product(h, "feed_forward.w2")))
    return at("logits", F.linear(at("norm", rmsnorm(x, "norm")), w["tok_embeddings"]))


trace = {"tokens": tokens[None], "targets": targets[None]}
trace |= {f"weights.{name}.weight": p.detach().clone() for name, p in w.items()}
count = (targets != -100).sum()
for i in range(parts):
    rows = slice(i * B // parts, (i + 1) * B // parts)
    keep = {}
    logits, wanted = forward(tokens[rows], keep).flatten(0, 1), targets[rows].flatten()
    if kind == "means":
        loss = F.cross_entropy(logits, wanted) / parts
    else:
        loss = F.cross_entropy(logits, wanted, reduction="sum") / count
    loss.backward()
    for name, t in keep.items():
        trace[f"microBatches.{i}.activations.{name}"] = t.detach()
        trace[f"microBatches.{i}.activationGradients.{name}"] = t.grad
    if 0 < i < parts - 1:
        trace |= {f"microBatches.{i}.accumulated.{name}.weight": p.grad.clone() for name, p in w.items()}
trace |= {f"gradients.{name}.weight": p.grad for name, p in w.items()}
trace["gradientNorms"] = torch.cat([p.grad.flatten() for p in w.values()]).norm()[None]

config = {"dim": C, "nLayers": 1, "nHeads": NH, "nKvHeads": NKV, "ffnDim": FFN, "vocabSize": V}
config |= {"normEps": EPS, "ropeTheta": THETA, "tiedEmbeddings": True}
header, data = {"__metadata__": {"config": json.dumps(config), "microBatches": str(parts)}}, b""
for name, t in trace.items():
    bytes_of = t.contiguous().numpy().tobytes()
    dtype = "I64" if t.dtype == torch.int64 else "F32"
    header[name] = {"dtype": dtype, "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(bytes_of)]}
    data += bytes_of
text = json.dumps(header).encode()
with open(path, "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
