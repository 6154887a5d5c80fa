"""One contestant of one-percent.ts on PyTorch: traces over a whole set, by the pieces that they are made of.

usage: [BENCH_DEVICE=cuda] one-percent-peers.py CONTESTANT FOLDER

The folder is that of kernel-peers.py, with the images' classes in labels.u8. Says `{"ready": versions}`, then takes one turn for every line it reads and answers
`{"ms", "cpuMs", "trace", "images"}`: the trace of the mean loss of so many images. One turn is one batch of images with
BackPACK (DiagGGNMC: one draw, and `variance`, that of one draw over all images), one product with a random vector over all images with PyHessian.
"""

import importlib
import sys
import time
from importlib.metadata import version
from os import environ
from pathlib import Path

import numpy as np
import torch
from torch import nn

peers = importlib.import_module("kernel-peers")

BATCHES = [32, 128, 512]
DRAWN_IMAGES = 200


def fastest_batch(run, x):
    """The batch size at which an image takes the least time."""

    def per_image(size):
        times = []
        for _ in range(3):
            start = time.perf_counter()
            run(x[:size])
            times.append(time.perf_counter() - start)
        return min(times) / size

    return min((size for size in BATCHES if size <= len(x)), key=per_image)


def backpack(extension_name):
    def prepare(network, x, _labels):
        run = peers.backpack_run(extension_name, network)
        batches = x.split(fastest_batch(run, x))

        def turn(i):
            batch = batches[i % len(batches)]
            return {"trace": run(batch), "images": len(batch)}

        return turn

    return prepare


def backpack_mc(network, x, labels):
    variance = draw_variance(network, x)
    turn = backpack("DiagGGNMC")(network, x, labels)
    return lambda i: {**turn(i), "variance": variance}


def draw_variance(network, x):
    """
    Variance of the trace over all images when one label is drawn for each from the network's own distribution p_n:
    (1/N^2) sum_n v_n, v_n = sum_k p_nk h_nk^2 - (sum_k p_nk h_nk)^2, h_nk = ||d loss(n, k)/d theta||^2. Labels that count are
    so rare in a trained network that the spread of draws does not show it. The sum is estimated from images drawn in
    proportion to what v_n is for the gradient in the outputs.
    """
    from backpack import backpack as extended, extend, extensions

    with torch.no_grad():
        p = torch.cat([network(batch) for batch in x.split(512)]).double().softmax(1)
    in_outputs = 1 - 2 * p + p.square().sum(1, keepdim=True)
    size = (p * in_outputs.square()).sum(1)
    chosen = torch.multinomial(size, DRAWN_IMAGES, replacement=True)
    model, loss = extend(network), extend(nn.CrossEntropyLoss(reduction="sum"))
    squares = []
    for images in x[chosen].split(10):
        with extended(extensions.BatchL2Grad()):
            classes = torch.arange(peers.CLASSES, device=x.device).repeat(len(images))
            loss(model(images.repeat_interleave(peers.CLASSES, 0)), classes).backward()
        squares.append(sum(parameter.batch_l2 for parameter in model.parameters()).double())
        for parameter in model.parameters():
            parameter.grad = None
            del parameter.batch_l2
    h = torch.cat(squares).reshape(-1, peers.CLASSES)
    p, share = p[chosen], (size / size.sum())[chosen]
    v = (p * h.square()).sum(1) - (p * h).sum(1).square()
    return (v / share).mean().item() / len(x) ** 2


def pyhessian(network, x, labels):
    # Their spread, unlike their mean, depends on the labels: the Hessian has more entries than its diagonal.
    from pyhessian import hessian

    def make(size):
        data = [(x[i : i + size], labels[i : i + size]) for i in range(0, len(x), size)]
        return hessian(network, nn.CrossEntropyLoss(), dataloader=data, cuda=peers.DEVICE == "cuda")

    def product(batch):
        computer = hessian(network, nn.CrossEntropyLoss(), data=(batch, labels[: len(batch)]), cuda=peers.DEVICE == "cuda")
        return computer.trace(maxIter=1)

    computer = make(fastest_batch(product, x))
    return lambda _turn: {"trace": float(computer.trace(maxIter=1)[0]), "images": len(x)}


CONTESTANTS = {
    "backpack-exact": (backpack("DiagGGNExact"), "backpack-for-pytorch"),
    "backpack-mc": (backpack_mc, "backpack-for-pytorch"),
    "pyhessian": (pyhessian, "PyHessian"),
}


def main():
    name, folder = sys.argv[1:]
    torch.set_num_threads(int(environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    prepare, package = CONTESTANTS[name]
    labels = torch.from_numpy(np.fromfile(Path(folder) / "labels.u8", dtype=np.uint8).astype(np.int64))
    turn = prepare(*peers.read_network(Path(folder)), labels.to(peers.DEVICE))
    peers.answer({"ready": {each: version(each) for each in ["torch", package]}})
    for i, _ in enumerate(sys.stdin):
        wall, cpu = time.perf_counter(), time.process_time()
        found = turn(i)
        ms, cpu_ms = 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)
        peers.answer({"ms": ms, "cpuMs": cpu_ms, **found})


main()
