"""A kernel in Python as a candidate for Touchstone, and a check of fixtures. Needs only the standard library.

A candidate is a function of the op's name, its inputs and its scalars, by name:

    import touchstone

    def kernel(op, inputs, scalars):
        x, w = inputs["x"], inputs["w"]
        ...
        return {"y": y, "rstd": rstd}

    touchstone.serve(kernel)            # touchstone check --op rmsnorm.forward --exec 'python3 mine.py'

What it does not support, it refuses: `raise touchstone.Unsupported("head size 5")` is no failure. Refused cases are counted and listed.

Tensors come as Tensor (a shape and a flat list), or with serve(kernel, arrays="numpy") as numpy arrays, or with
arrays="torch" as torch tensors. bfloat16 and float16 numbers come widened to float32, which is exact; what a kernel
returns is rounded once to the dtype that the judge expects, to nearest with ties to even.

Touchstone's docs/protocol.md specifies the protocol, docs/fixtures.md the files and the rule by which an output is accepted.
"""

import array
import json
import math
import struct
import sys

PROTOCOL = 2  # the version of the judge's requests and of the answers
FIXTURE_FORMAT = "touchstone-fixture/2"

_LONGEST_REASON = 1000
_LARGEST = {"float32": (2 - 2**-23) * 2.0**127, "bfloat16": (2 - 2**-7) * 2.0**127, "float16": 65504.0}
ALLOWED_UNJUDGED = 0.1  # of an output's elements, how many may lack a finite bound before it is inconclusive

_OUTPUTS = {
    "rmsnorm.forward": ("y", "rstd"), "rmsnorm.backward": ("dx", "dw"),
    "linear.forward": ("y",), "linear.backward": ("dx", "dw"),
    "rope-table.forward": ("cos", "sin"), "rope.forward": ("y",), "rope.backward": ("dx",),
    "softmax.forward": ("y",), "softmax.backward": ("dx",),
    "attention.forward": ("y", "lse"), "attention.backward": ("dq", "dk", "dv"),
    "swiglu.forward": ("y",), "swiglu.backward": ("dgate", "dup"),
    "cross-entropy.forward": ("loss", "lse"), "cross-entropy.backward": ("dlogits",),
    "embedding.forward": ("y",), "embedding.backward": ("dw",),
    "add.forward": ("y",), "cast.forward": ("y",), "clip.forward": ("g",),
    "gradient-norm.forward": ("norm",), "adamw.forward": ("w", "m", "v"),
}
_BYTES = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2, "I64": 8, "I32": 4}
_FILE_TYPES = {"float64": "F64", "float32": "F32", "bfloat16": "BF16", "float16": "F16"}


class Unsupported(Exception):
    """Raised by a kernel for a case that it does not support, with the reason: raise touchstone.Unsupported("head size 5")."""


class Tensor:
    """Numbers in row-major order, and their shape. Indexed by position: t[r, c], or t.data[i] flat."""

    def __init__(self, data, shape, whole=False):
        self.data = list(data)
        self.whole = whole  # integers, even if there are none
        self.shape = tuple(shape)
        if len(self.data) != _size(self.shape):
            raise ValueError(f"{len(self.data)} numbers do not fill shape {list(self.shape)}")

    def __getitem__(self, index):
        return self.data[self._at(index)]

    def __setitem__(self, index, value):
        self.data[self._at(index)] = value

    def _at(self, index):
        at = 0
        for i, length in zip(index if isinstance(index, tuple) else (index,), self.shape):
            at = at * length + i
        return at


def zeros(shape):
    """A tensor of zeros."""
    return Tensor([0.0] * _size(shape), shape)


def serve(kernel, arrays="list"):
    """Answers the judge's requests until there are no more. An exception in the kernel is answered as an error, Unsupported as a refusal."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what the kernel prints is not an answer
    for line in sys.stdin:
        request = json.loads(line)
        if request.get("protocol", 1) != PROTOCOL:
            sys.exit(f"touchstone.py speaks protocol {PROTOCOL}, the judge {request.get('protocol', 1)}: "
                     "take golden/clients of the judge's version")
        answer = {"protocol": PROTOCOL, "case": request["case"]}
        try:
            given = _read_as(request["inputs"], arrays)
            outputs = kernel(request["op"], given, request["scalars"])
            given_back = {name: t for name, t in outputs.items() if t is not None}  # None: an output that it does not offer
            write(request["outputs"], given_back, _dtypes(request, given_back))
        except Unsupported as refusal:
            answer["unsupported"] = str(refusal)[:_LONGEST_REASON]
        except Exception as error:  # the judge hears of any exception
            answer["error"] = f"{type(error).__name__}: {error}"
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _dtypes(request, outputs):
    wide = request["float32Outputs"]
    return {name: "F32" if name in wide else _FILE_TYPES[request["dtype"]] for name in outputs}


class Fixture:
    """A file of golden/fixtures: .op, .scalars, .inputs, .outputs, .bounds, by name, and .indices for one at scale.

    Raises ValueError for a file of another version, and for one that is damaged where it would judge less than it says: an
    output or a bound is missing or misshapen, a bound is negative or NaN.
    """

    def __init__(self, path):
        tensors, self.metadata = read(path)
        if self.metadata.get("format") != FIXTURE_FORMAT:
            raise ValueError(f"{path} has format {self.metadata.get('format', 'none')}, expected {FIXTURE_FORMAT}: "
                             "take the fixtures and golden/clients of one version")
        self.op = self.metadata["op"]
        self.dtype = self.metadata["dtype"]
        self.scalars = json.loads(self.metadata["scalars"])
        self.generated = json.loads(self.metadata.get("generated", "{}"))
        self.float32_outputs = self.metadata.get("float32Outputs", "").split(",")
        part = lambda prefix: {name[len(prefix):]: t for name, t in tensors.items() if name.startswith(prefix)}
        self.inputs, self.outputs, self.bounds = part("in."), part("out."), part("bound.")
        self.indices = {name: t.data for name, t in part("index.").items()}
        self._refuse_damage(path)

    def _refuse_damage(self, path):
        if not self.outputs:
            raise ValueError(f"{path} holds no outputs, expected those of {self.op}")
        for name in _OUTPUTS.get(self.op, tuple(self.outputs)):
            if name not in self.outputs or name not in self.bounds:
                raise ValueError(f"{path} lacks out.{name} or bound.{name}, expected every output of {self.op}")
        for name, want in self.outputs.items():
            bound = self.bounds.get(name)
            if bound is None or bound.shape != want.shape:
                raise ValueError(f"{path}: bound.{name} is missing or misshapen, expected {list(want.shape)} as out.{name}")
            if self.generated and len(self.indices.get(name, ())) != len(want.data):
                raise ValueError(f"{path}: index.{name} is missing or misshapen, expected {list(want.shape)} as out.{name}")
            for i, (w, b) in enumerate(zip(want.data, bound.data)):
                if not b >= 0:
                    raise ValueError(f"{path}: bound.{name}[{i}] is {b!r}, expected a number that is not negative")
                if not math.isfinite(w) and 0 < b < math.inf:
                    raise ValueError(f"{path}: out.{name}[{i}] is {w!r} with the bound {b!r}, expected a finite number")

    def inconclusive(self):
        """A line for each output of which too few elements have a finite bound, so that being within bounds says little.

        An output of no elements is one of them: its fixture says only that a kernel survives such a case.
        """
        lines = []
        for name, bound in self.bounds.items():
            dtype = self._dtype_of(name)
            unjudged = sum(not is_judged(w, b, dtype) for w, b in zip(self.outputs[name].data, bound.data))
            if unjudged == len(bound.data) or unjudged > ALLOWED_UNJUDGED * len(bound.data):
                lines.append(f"inconclusive {name}: {unjudged} of {len(bound.data)} elements have no finite bound")
        return lines

    def _dtype_of(self, name):
        return "float32" if name in self.float32_outputs else self.dtype

    def check(self, outputs):
        """A line for each output that is missing, misshapen or outside its bound, or of which too little can be judged; none
        when all are right.

        For a fixture at scale the outputs are the sampled elements, in the order of self.indices. An output of no elements has
        no line here; self.inconclusive() has one.
        """
        findings = []
        for name, want in self.outputs.items():
            if name not in outputs:
                findings.append(f"{name} is missing")
                continue
            got = _tensor(outputs[name])
            if got.shape != want.shape:
                findings.append(f"{name} has shape {list(got.shape)}, expected {list(want.shape)}")
                continue
            dtype = self._dtype_of(name)
            outside = [i for i in range(len(want.data)) if not accepts(
                got.data[i], want.data[i], self.bounds[name].data[i], dtype)]
            if outside:
                i = outside[0]
                findings.append(
                    f"{name}[{i}]: got {got.data[i]!r}, want {want.data[i]!r}, bound {self.bounds[name].data[i]!r}; "
                    f"{len(outside)} of {len(want.data)} outside")
        return findings or [line for line in self.inconclusive() if " of 0 " not in line]


def is_judged(want, bound, dtype="float32"):
    """Whether some number of that dtype lies outside the bound. An infinite bound promises nothing, and so does a finite one
    that no number of the format exceeds."""
    return bound < math.inf if not math.isfinite(want) else bound < _LARGEST[dtype] + abs(want)


def accepts(got, want, bound, dtype="float32"):
    """Whether an output of that dtype is within its bound. Where nothing is judged, anything is accepted."""
    if not is_judged(want, bound, dtype) or got == want:
        return True
    if dtype == "float32":
        return abs(got - want) <= bound
    return rounded(want - bound, dtype) <= got <= rounded(want + bound, dtype)


# --- the counter-based generator of reference/random.ts, bit for bit ---------------------------------------------------


def _mix(h):
    h &= 0xFFFFFFFF
    h ^= h >> 16
    h = h * 0x85EBCA6B & 0xFFFFFFFF
    h ^= h >> 13
    h = h * 0xC2B2AE35 & 0xFFFFFFFF
    return h ^ h >> 16


def bits(seed, stream, i):
    """32 uniform bits."""
    return _mix(_mix(_mix(_mix(seed + 0x9E3779B9) + stream) + (i >> 32)) + (i & 0xFFFFFFFF))


def uniform(seed, stream, i):
    """Uniform in [0, 1), exact in float32."""
    return (bits(seed, stream, i) >> 8) / 16777216


def normal(seed, stream, i):
    """Nearly normal, mean 0, variance 1, exact in float32."""
    first, second = bits(seed, stream, 2 * i), bits(seed, stream, 2 * i + 1)
    return (2 * ((first >> 16) + (first & 0xFFFF) + (second >> 16)) - 3 * 65535) / 65536


def element(generated, seed, i):
    """Element i of an input of a fixture at scale, from its entry in Fixture.generated."""
    kind = generated["kind"]
    if kind not in ("normal", "uniform", "integer"):
        raise ValueError(f"an input of kind {kind} is not generated: it is in the file, or left by your own forward")
    stream = generated["stream"]
    if kind == "integer":
        return bits(seed, stream, i) * generated["below"] >> 32
    return generated.get("scale", 1) * (normal if kind == "normal" else uniform)(seed, stream, i)


# --- safetensors -------------------------------------------------------------------------------------------------------


def read(path):
    """The tensors of a safetensors file by name, and its metadata."""
    entries, metadata = _entries(path)
    return {name: _decoded(*entry) for name, entry in entries.items()}, metadata


def _entries(path):
    """The bytes, the type and the shape of each tensor by name, and the metadata."""
    with open(path, "rb") as file:
        content = file.read()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8:8 + length])
    metadata = header.pop("__metadata__", {})
    entries = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        entries[name] = content[8 + length + begin:8 + length + end], entry["dtype"], entry["shape"]
    return entries, metadata


def _decoded(data, dtype, shape):
    return Tensor(_decode(data, dtype), shape, whole=dtype in ("I32", "I64"))


def _read_as(path, arrays):
    """The tensors of a file as arrays of a library; float32 and int32 go into numpy's without a list of numbers."""
    given = {}
    for name, (data, dtype, shape) in _entries(path)[0].items():
        if arrays == "numpy" and dtype in ("F32", "I32"):
            import numpy
            given[name] = numpy.frombuffer(data, {"F32": "<f4", "I32": "<i4"}[dtype]).reshape(shape).copy()
        else:
            given[name] = _convert(_decoded(data, dtype, shape), arrays)
    return given


def write(path, tensors, dtypes):
    """Writes tensors (Tensor, numpy or torch) by name, each in its safetensors dtype: {"y": "F32"}."""
    header, parts, at = {}, [], 0
    for name, value in tensors.items():
        if dtypes[name] == "F32" and hasattr(value, "astype"):  # numpy rounds to nearest with ties to even, too
            data, shape = value.astype("<f4").tobytes(), value.shape
        else:
            tensor = _tensor(value)
            data, shape = _encode(tensor.data, dtypes[name]), tensor.shape
        header[name] = {"dtype": dtypes[name], "shape": list(shape), "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


def _decode(data, dtype):
    if dtype == "BF16":
        wide = b"".join(b"\0\0" + data[i:i + 2] for i in range(0, len(data), 2))
        return _unpack("f", wide)
    if dtype == "F16":
        return list(struct.unpack(f"<{len(data) // 2}e", data))
    return _unpack({"F64": "d", "F32": "f", "I64": "q", "I32": "i"}[dtype], data)


def _unpack(code, data):
    numbers = array.array(code)
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def _encode(numbers, dtype):
    if dtype == "BF16":
        return b"".join(struct.pack("<H", _bfloat16_bits(x)) for x in numbers)
    if dtype == "F16":
        return b"".join(struct.pack("<e", rounded(x, "float16")) for x in numbers)
    code = {"F64": "d", "F32": "f", "I64": "q", "I32": "i"}[dtype]
    if code == "f":
        numbers = [rounded(x, "float32") for x in numbers]
    packed = array.array(code, numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


# --- rounding to a storage format, to nearest with ties to even ----------------------------------------------------------

_FORMATS = {"float32": (24, -126, 127), "bfloat16": (8, -126, 127), "float16": (11, -14, 15)}


def rounded(x, dtype):
    """The number of that dtype nearest to x; beyond the largest, an infinity."""
    if x == 0 or math.isnan(x) or math.isinf(x):
        return x
    precision, lowest, highest = _FORMATS[dtype]
    exponent = max(math.frexp(x)[1] - 1, lowest)
    spacing = exponent - precision + 1
    result = math.ldexp(float(round(math.ldexp(x, -spacing))), spacing)  # round() takes ties to even
    largest = math.ldexp(2 - math.ldexp(1, 1 - precision), highest)
    return math.copysign(math.inf, x) if abs(result) > largest else math.copysign(result, x)


def _bfloat16_bits(x):
    if math.isnan(x):
        return 0x7FC0
    return struct.unpack("<I", struct.pack("<f", rounded(x, "bfloat16")))[0] >> 16


# --- arrays of other libraries -------------------------------------------------------------------------------------------


def _convert(tensor, arrays):
    if arrays == "list":
        return tensor
    if arrays == "numpy":
        import numpy
        return numpy.array(tensor.data, dtype=numpy.int32 if tensor.whole else numpy.float32).reshape(tensor.shape)
    if arrays == "torch":
        import torch
        return torch.tensor(tensor.data, dtype=torch.int64 if tensor.whole else torch.float32).reshape(tensor.shape)
    raise ValueError(f'arrays is {arrays!r}, expected "list", "numpy" or "torch"')


def _tensor(value):
    """A Tensor of anything that has a shape and numbers."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, (int, float)):
        return Tensor([value], ())
    if hasattr(value, "detach"):  # torch
        value = value.detach().cpu().double()
    shape = tuple(value.shape)
    flat = value.reshape(-1).tolist()
    return Tensor(flat, shape)


def _size(shape):
    size = 1
    for length in shape:
        size *= length
    return size


if __name__ == "__main__":
    # python3 touchstone.py FIXTURE OUTPUTS: checks one file of outputs against one fixture.
    if len(sys.argv) != 3:
        sys.exit("usage: touchstone.py FIXTURE OUTPUTS (safetensors files)")
    try:
        fixture = Fixture(sys.argv[1])
        lines = fixture.check(read(sys.argv[2])[0]) or fixture.inconclusive()
    except Exception as error:  # whatever a damaged file leads to, it says nothing about a kernel
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
    print("\n".join(lines) if lines else "within bounds")
    sys.exit(0 if not lines else 4 if lines[0].startswith("inconclusive ") else 1)  # the statuses of touchstone
