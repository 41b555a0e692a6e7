"""Kernels in plain Python for the tests of candidates: kernel.py FAULT [FILE], right when FAULT is "none".

FILE is where it writes its process id in the middle of a run.
"""
import math
import os
import sys
import touchstone
from touchstone import zeros

FAULT = sys.argv[1]


def attention_forward(i, _):
    q, k, v = i["q"], i["k"], i["v"]
    (B, T, NH, HS), S, NKV = q.shape, k.shape[1], k.shape[2]
    y, lse = zeros(q.shape), zeros((B, NH, T))
    for b in range(B):
        for h in range(NH):
            kv = h % NKV if FAULT == "heads" else h * NKV // NH
            for t in range(T):
                keys = range(t + 1 if FAULT == "top-left" else t + 1 + S - T)
                keys = keys[:S]
                scores = [sum(q[b, t, h, e] * k[b, s, kv, e] for e in range(HS)) / math.sqrt(HS) for s in keys]
                if not scores:
                    lse[b, h, t] = -math.inf
                    continue
                most = max(scores)
                p = [math.exp(s - most) for s in scores]
                total = sum(p)
                lse[b, h, t] = most + math.log(total)
                p = [x / total for x in p]
                if FAULT == "low P":
                    p = [touchstone.rounded(x, "bfloat16") for x in p]
                for e in range(HS):
                    y[b, t, h, e] = sum(x * v[b, s, kv, e] for s, x in zip(keys, p))
    return {"y": y, "lse": lse}


def rmsnorm_forward(i, scalars):
    x, w, eps = i["x"], i["w"], scalars["eps"]
    (R, C), y, rstd = x.shape, zeros(x.shape), zeros(x.shape[:1])
    for r in range(R):
        square = sum(x[r, c] ** 2 for c in range(C)) / C
        rstd[r] = 1 / (math.sqrt(square) + eps) if FAULT == "eps" and square > 0 else (square + eps) ** -0.5
        for c in range(C):
            y[r, c] = x[r, c] * rstd[r] * w[c]
    return {"y": y, "rstd": rstd}


def adamw_forward(i, s):
    n = len(i["w"].data)
    out = {name: zeros((n,)) for name in "wmv"}
    for j in range(n):
        w, g, m, v = (i[name].data[j] for name in "wgmv")
        m = s["beta1"] * m + s["oneMinusBeta1"] * g
        v = s["beta2"] * v + s["oneMinusBeta2"] * g * g
        root = math.sqrt(s["correction2"])
        denominator = (math.sqrt(v) + s["eps"]) / root if FAULT == "eps" else math.sqrt(v) / root + s["eps"]
        step = m / s["correction1"] / denominator + s["weightDecay"] * w
        out["w"][j], out["m"][j], out["v"][j] = w - s["learningRate"] * step, m, v
    return out


kernels = {"attention.forward": attention_forward, "rmsnorm.forward": rmsnorm_forward, "adamw.forward": adamw_forward}
calls = 0


def kernel(op, inputs, scalars):
    global calls
    calls += 1
    if calls == 2:  # in the middle of a run
        if len(sys.argv) > 2:
            with open(sys.argv[2], "w") as file:
                file.write(str(os.getpid()))
        if FAULT == "killed":
            os.kill(os.getpid(), 9)
        if FAULT == "endless":
            while True:
                pass
        if FAULT == "garbage":
            for _ in range(100):
                os.write(1, b"x" * (1 << 20))
        if FAULT == "lines":
            for _ in range(100):
                os.write(1, (b"x" * 1023 + b"\n") * 1024)
        if FAULT == "leaves":
            os._exit(0)
    return kernels[op](inputs, scalars)


touchstone.serve(kernel)
