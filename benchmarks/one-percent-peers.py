"""One contestant of one-percent.ts on PyTorch: traces over a whole set, by the pieces that they are made of.

usage: one-percent-peers.py CONTESTANT FOLDER

The folder is that of kernel-peers.py, with the images' classes in labels.u8. Says `{"ready": versions}`, then takes one turn for every line it reads and answers
`{"ms", "cpuMs", "trace", "images"}`: the trace of the mean loss of so many images. One turn is one batch of images with
BackPACK (DiagGGNMC: one draw; two turns for each batch), one product with a random vector over all images with PyHessian.
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


def fastest_batch(run, x):
    """The batch size at which an image takes the least time."""

    def per_image(size):
        times = []
        for _ in range(4):
            start = time.perf_counter()
            run(x[:size])
            times.append(time.perf_counter() - start)
        return min(times) / size

    return min((size for size in BATCHES if size <= len(x)), key=per_image)


def backpack(extension_name, turns_a_batch):
    def prepare(network, x, _labels):
        run = peers.backpack_run(extension_name, network)
        size = fastest_batch(run, x)
        batches = x.split(size)

        def turn(i):
            batch = batches[i // turns_a_batch % len(batches)]
            return run(batch), len(batch)

        return turn

    return prepare


def pyhessian(network, x, labels):
    # Their spread, unlike their mean, depends on the labels: the Hessian has more entries than its diagonal.
    from pyhessian import hessian

    def make(size):
        data = [(x[i : i + size], labels[i : i + size]) for i in range(0, len(x), size)]
        return hessian(network, nn.CrossEntropyLoss(), dataloader=data, cuda=False)

    def product(batch):
        computer = hessian(network, nn.CrossEntropyLoss(), data=(batch, labels[: len(batch)]), cuda=False)
        return computer.trace(maxIter=1)

    computer = make(fastest_batch(product, x))
    return lambda _turn: (float(computer.trace(maxIter=1)[0]), len(x))


CONTESTANTS = {
    "backpack-exact": (backpack("DiagGGNExact", 1), "backpack-for-pytorch"),
    "backpack-mc": (backpack("DiagGGNMC", 2), "backpack-for-pytorch"),
    "pyhessian": (pyhessian, "PyHessian"),
}


def main():
    name, folder = sys.argv[1:]
    torch.set_num_threads(int(environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    prepare, package = CONTESTANTS[name]
    labels = torch.from_numpy(np.fromfile(Path(folder) / "labels.u8", dtype=np.uint8).astype(np.int64))
    turn = prepare(*peers.read_network(Path(folder)), labels)
    peers.answer({"ready": {each: version(each) for each in ["torch", package]}})
    for i, _ in enumerate(sys.stdin):
        wall, cpu = time.perf_counter(), time.process_time()
        trace, images = turn(i)
        ms, cpu_ms = 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)
        peers.answer({"ms": ms, "cpuMs": cpu_ms, "trace": trace, "images": images})


main()
