"""What other packages take for the trace of the loss Hessian, on the network and images of a folder.

usage: [BENCH_DEVICE=cuda] kernel-peers.py CONTESTANT FOLDER

The folder is written by kernel.ts: network.json (the layers, and where their weights lie), weights.f32 and images.f32. Says
`{"ready": versions}`, then takes one repetition for every line it reads and answers `{"ms", "cpuMs", "trace"}`; of eigenvalues `values`,
too, and the largest as `trace`.
"""

import json
import sys
import time
from importlib.metadata import version
from os import environ
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad, vmap

CLASSES = 10
# PyTorch's name for the processor or the GPU.
DEVICE = environ.get("BENCH_DEVICE", "cpu")
# Float32 as it is, as everything else that is compared.
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
# Per-example gradients of the paper's algorithm take this much at a time: on a processor that was faster than more or less.
GRADIENT_BYTES = 2**30 if DEVICE == "cuda" else 32 * 2**20
# Vectors of the stochastic estimates; PyHessian's own default, at which it may stop earlier.
VECTORS = 100
# A contestant that needs one product for every weight is not started where that would take longer.
LONGEST_S = 60
# Of them, those that its time is estimated from.
SAMPLED_WEIGHTS = 100


def read_network(folder):
    """The network in PyTorch's layout (channels first), logits out, and the images [N, 1, 28, 28]."""
    spec = json.loads((folder / "network.json").read_text())
    weights = np.fromfile(folder / "weights.f32", dtype=np.float32)
    images = np.fromfile(folder / "images.f32", dtype=np.float32).reshape(spec["images"])
    taken = 0

    def take(shape):
        nonlocal taken
        size = int(np.prod(shape))
        taken += size
        return weights[taken - size : taken].reshape(shape)

    layers, flattened = [], None
    shape = spec["images"][1:]
    for layer in spec["layers"]:
        kind = layer["kind"]
        if kind == "conv":
            height, width, channels, filters = layer["kernel"]
            padding = height // 2 if layer["padding"] == "same" else 0
            made = nn.Conv2d(channels, filters, (height, width), padding=padding)
            assign(made, take(layer["kernel"]).transpose(3, 2, 0, 1), take([filters]))
        elif kind == "maxPool":
            made = nn.MaxPool2d(layer["size"], layer["strides"])
        elif kind == "flatten":
            made, flattened = nn.Flatten(), layer["input"]
        elif kind == "dense":
            fan_in, fan_out = layer["kernel"]
            kernel = take(layer["kernel"])
            if flattened is not None:
                # tf.js flattens height, width, channels; PyTorch flattens channels, height, width.
                kernel = kernel.reshape(*flattened, fan_out).transpose(2, 0, 1, 3).reshape(fan_in, fan_out)
                flattened = None
            made = nn.Linear(fan_in, fan_out)
            assign(made, kernel.T, take([fan_out]))
        elif kind == "relu":
            made = nn.ReLU()
        else:
            raise ValueError(f"kernel-peers: unknown layer {kind}")
        layers.append(made)
    assert taken == weights.size and len(shape) == 3
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    return nn.Sequential(*layers).to(DEVICE), x.to(DEVICE)


def assign(layer, kernel, bias):
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel)))
        layer.bias.copy_(torch.from_numpy(bias.copy()))


def labels_of(x):
    """Neither trace depends on the labels where the network is piecewise linear; the losses want some."""
    return torch.arange(len(x), device=x.device) % CLASSES


def backpack_run(extension_name, network):
    """x -> BackPACK's diagonal of the Gauss-Newton matrix, summed."""
    from backpack import backpack as extended, extend, extensions

    model, loss = extend(network), extend(nn.CrossEntropyLoss())
    extension = getattr(extensions, extension_name)()
    field = {"DiagGGNExact": "diag_ggn_exact", "DiagGGNMC": "diag_ggn_mc"}[extension_name]

    def run(x):
        with extended(extension):
            loss(model(x), labels_of(x)).backward()
        trace = sum(getattr(p, field).sum() for p in model.parameters()).item()
        for p in model.parameters():
            p.grad = None
            delattr(p, field)
        return trace

    return run


def backpack(extension_name):
    def prepare(network, x):
        run = backpack_run(extension_name, network)
        # The largest batch that a GPU has memory for.
        size = len(x)
        while DEVICE == "cuda":
            try:
                run(x[:size])
                break
            except torch.OutOfMemoryError:
                network.zero_grad()
                torch.cuda.empty_cache()
                size = (size + 1) // 2
        return lambda: sum(run(batch) * len(batch) for batch in x.split(size)) / len(x)

    return prepare


def paper(network, x):
    """
    The paper's algorithm: for every sample sum_k p_k ||d z_k/d theta||^2 - ||sum_k p_k d z_k/d theta||^2, from K + 1
    backward passes with per-example gradients.
    """
    weights = {name: p.detach() for name, p in network.named_parameters()}
    examples_at_a_time = max(1, GRADIENT_BYTES // sum(p.nbytes for p in weights.values()))

    def along(weights, image, direction):
        return functional_call(network, weights, image[None])[0] @ direction

    per_example = vmap(grad(along), in_dims=(None, 0, 0))

    def squared_norms(images, directions):
        gradients = per_example(weights, images, directions)
        return sum(g.flatten(1).square().sum(1) for g in gradients.values())

    def run():
        total = 0.0
        for images in x.split(examples_at_a_time):
            with torch.no_grad():
                p = torch.softmax(network(images), 1)
            for k in range(CLASSES):
                direction = torch.zeros_like(p)
                direction[:, k] = 1
                total += (p[:, k] * squared_norms(images, direction)).sum()
            total -= squared_norms(images, p).sum()
        return (total / len(x)).item()

    return run


def curvlinops_operator(network, x):
    from curvlinops import GGNLinearOperator

    return GGNLinearOperator(
        network, nn.CrossEntropyLoss(), list(network.parameters()), [(x, labels_of(x))], check_deterministic=False
    )


def curvlinops_hutchinson(network, x):
    """curvlinops' Gauss-Newton products with random vectors."""
    from curvlinops import hutchinson_trace

    operator = curvlinops_operator(network, x)
    return lambda: float(hutchinson_trace(operator, num_matvecs=VECTORS))


def curvlinops_basis(network, x):
    """curvlinops' Gauss-Newton products with every basis vector: it has no exact diagonal of its own."""
    operator = curvlinops_operator(network, x)
    size = operator.shape[1]

    def product(i):
        basis = torch.zeros(size, device=x.device)
        basis[i] = 1
        return (operator @ basis)[i].item()

    return one_for_each_weight(product, size)


def pyhessian(network, x):
    """PyHessian's trace, Hutchinson's estimate with the Hessian itself."""
    from pyhessian import hessian

    computer = hessian(network, nn.CrossEntropyLoss(), data=(x, labels_of(x)), cuda=DEVICE == "cuda")
    return lambda: float(np.mean(computer.trace(maxIter=VECTORS)))


def pyhessian_eigenvalues(top, **limits):
    """PyHessian's largest eigenvalues in magnitude, of the Hessian itself, one after the other by power iteration."""

    def prepare(network, x):
        from pyhessian import hessian

        computer = hessian(network, nn.CrossEntropyLoss(), data=(x, labels_of(x)), cuda=DEVICE == "cuda")
        return lambda: computer.eigenvalues(top_n=top, **limits)[0]

    return prepare


def lanczos(operator_name):
    """The five largest eigenvalues in magnitude in float64, to rounding: what the others are held against."""

    def prepare(network, x):
        import curvlinops
        from scipy.sparse.linalg import eigsh

        network, x = network.double(), x.double()
        operator = getattr(curvlinops, operator_name)(
            network, nn.CrossEntropyLoss(), list(network.parameters()), [(x, labels_of(x))], check_deterministic=False
        )
        return lambda: sorted(eigsh(operator.to_scipy(), k=5, which="LM", tol=1e-10)[0].tolist(), key=abs, reverse=True)

    return prepare


def second_derivatives(network, x):
    """The diagonal of the Hessian by the place of a weight, one second backward pass each; and the number of weights."""
    parameters = list(network.parameters())
    loss = nn.functional.cross_entropy(network(x), labels_of(x))
    flat = torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters, create_graph=True)])
    places = [(p, j) for p in range(len(parameters)) for j in range(parameters[p].numel())]

    def second(i):
        p, j = places[i]
        (row,) = torch.autograd.grad(flat[i], parameters[p], retain_graph=True)
        return row.flatten()[j].item()

    return second, len(places)


def double_backprop(network, x):
    """The diagonal of the Hessian, one second backward pass for every weight."""
    return one_for_each_weight(*second_derivatives(network, x))


def double_backprop_sample(network, x):
    """The same for a few weights, evenly spread over all, where all would take too long: what one takes, not the trace."""
    second, size = second_derivatives(network, x)
    chosen = [int((i + 0.5) * size / SAMPLED_WEIGHTS) for i in range(SAMPLED_WEIGHTS)]
    return lambda: sum(second(i) for i in chosen)


def forward_backward(network, x):
    """A step of training but for the update, for comparison."""

    def run():
        network.zero_grad()
        loss = nn.functional.cross_entropy(network(x), labels_of(x))
        loss.backward()
        if DEVICE == "cuda":
            torch.cuda.synchronize()
        return 0.0

    return run


def one_for_each_weight(entry, size):
    """Sums a diagonal entry by entry, or None where the first entries say that this would take too long."""
    tried = 20
    start = time.perf_counter()
    for i in range(tried):
        entry(i)
    if (time.perf_counter() - start) / tried * size > LONGEST_S:
        return None
    return lambda: sum(entry(i) for i in range(size))


CONTESTANTS = {
    "backpack-exact": (backpack("DiagGGNExact"), ["backpack-for-pytorch"]),
    "backpack-mc": (backpack("DiagGGNMC"), ["backpack-for-pytorch"]),
    "paper": (paper, []),
    "curvlinops-hutchinson": (curvlinops_hutchinson, ["curvlinops-for-pytorch"]),
    "curvlinops-basis": (curvlinops_basis, ["curvlinops-for-pytorch"]),
    "pyhessian": (pyhessian, ["PyHessian"]),
    "pyhessian-eigenvalue": (pyhessian_eigenvalues(1), ["PyHessian"]),
    "pyhessian-eigenvalues": (pyhessian_eigenvalues(5), ["PyHessian"]),
    "pyhessian-eigenvalues-tight": (pyhessian_eigenvalues(5, maxIter=1000, tol=1e-6), ["PyHessian"]),
    "lanczos-gauss-newton": (lanczos("GGNLinearOperator"), ["curvlinops-for-pytorch"]),
    "lanczos-hessian": (lanczos("HessianLinearOperator"), ["curvlinops-for-pytorch"]),
    "double-backprop": (double_backprop, []),
    "double-backprop-sample": (double_backprop_sample, []),
    "forward-backward": (forward_backward, []),
}


def answer(message):
    print(json.dumps(message), flush=True)


def main():
    name, folder = sys.argv[1:]
    torch.set_num_threads(int(environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    prepare, packages = CONTESTANTS[name]
    run = prepare(*read_network(Path(folder)))
    if run is None:
        return answer({"infeasible": f"more than {LONGEST_S} s"})
    answer({"ready": {package: version(package) for package in ["torch", *packages]}})
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        found = run()
        answer(
            {
                "ms": 1000 * (time.perf_counter() - wall),
                "cpuMs": 1000 * (time.process_time() - cpu),
                **({"trace": found[0], "values": found} if isinstance(found, list) else {"trace": found}),
            }
        )


if __name__ == "__main__":
    main()
