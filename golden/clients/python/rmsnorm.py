"""A ten-line kernel: touchstone check --op rmsnorm.forward --exec 'python3 rmsnorm.py'"""
import touchstone

def kernel(op, inputs, scalars):
    x, w = inputs["x"], inputs["w"]
    (R, C), y, rstd = x.shape, touchstone.zeros(x.shape), touchstone.zeros(x.shape[:1])
    for r in range(R):
        rstd[r] = (sum(x[r, c] ** 2 for c in range(C)) / C + scalars["eps"]) ** -0.5
        for c in range(C):
            y[r, c] = x[r, c] * rstd[r] * w[c]
    return {"y": y, "rstd": rstd}

touchstone.serve(kernel)
