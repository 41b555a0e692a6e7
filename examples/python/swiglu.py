"""A kernel in Python:  touchstone check --op swiglu.forward --exec 'python3 swiglu.py' --target ieee

`touchstone check` puts the module touchstone on Python's path. With serve(kernel, arrays="numpy") or arrays="torch" the kernel
gets arrays of those libraries; here it needs none.
"""
import math

import touchstone


def kernel(op, inputs, scalars):
    gate, up = inputs["gate"], inputs["up"]
    y = touchstone.zeros(gate.shape)
    for i, (z, u) in enumerate(zip(gate.data, up.data)):
        e = math.exp(-abs(z))  # at most 1, so it cannot overflow
        y.data[i] = z * (e if z < 0 else 1) / (1 + e) * u
    return {"y": y}


touchstone.serve(kernel)
