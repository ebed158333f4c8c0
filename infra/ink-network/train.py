"""Train the ink network of tasks/pixels and write it as ONNX (README.md beside this file)."""

from __future__ import annotations

import argparse
import copy
import csv
import hashlib
import sys
import time
import warnings
from pathlib import Path

import cv2
import numpy as np
import torch
from ground import Values, ground
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from writing import example

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tasks.pixels.ink import ink_mask
from tasks.pixels.signs import signs_of

_CHANNELS, _BATCH = 64, 8
_DECAY, _KEEP = 0.99, 250  # of the running mean of states per step; steps between two files on the way
_MADE, _PER_SERIES = 420, 10


def _convolution(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class InkNetwork(nn.Module):
    """From six signs per pixel, folded to half resolution (24 planes), to the logits of ink and line."""

    def __init__(self) -> None:
        super().__init__()
        self.near, self.down = _convolution(24, 24), _convolution(24, _CHANNELS, 2)
        self.far = nn.ModuleList([_convolution(_CHANNELS, _CHANNELS, 1, d) for d in (1, 2, 4, 8, 2, 1)])
        self.up = nn.Sequential(nn.Conv2d(_CHANNELS, 24, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU(inplace=True))
        self.join, self.out = _convolution(48, 24), nn.Conv2d(24, 2, 1)

    def forward(self, folded: torch.Tensor) -> torch.Tensor:
        near = self.near(folded)
        far = self.down(near)
        for layer in self.far:
            far = far + layer(far)
        return self.out(self.join(torch.cat([near, functional.interpolate(self.up(far), scale_factor=2, mode="nearest")], 1)))


class _Probabilities(nn.Module):
    def __init__(self, network: InkNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, folded: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.network(folded))


def frames_without_text(folder: Path) -> list[tuple[Values, int]]:
    """Return decoded frames of three of four series of a folder with CATALOG.csv, ten of each, where it says that no text is in them.

    CT, MR, PET and NM series of which it says nothing count as without text too. The fourth is left to judge by.
    """
    from pydicom import dcmread

    frames: list[tuple[Values, int]] = []
    taken: dict[str, int] = {}
    for row in csv.DictReader((folder / "CATALOG.csv").open(encoding="utf-8")):
        series = row["series_uid"] or row["path"]
        silent = row["burned_in_text"] == "unknown" and row["modality"] in ("MR", "CT", "PT", "NM", "CR", "MG", "DX", "XA")
        is_judge = int(hashlib.sha256(series.encode()).hexdigest(), 16) % 4 == 3
        if row["readable"] != "yes" or is_judge or not (silent or row["burned_in_text"] == "no") or taken.get(series, 0) >= _PER_SERIES:
            continue
        try:
            dataset = dcmread(folder / row["path"], force=True)
            values = dataset.pixel_array
        except Exception:  # noqa: S112  what does not decode teaches nothing
            continue
        values = values[len(values) // 2] if int(dataset.get("NumberOfFrames", 1) or 1) > 1 else values
        values = values[..., 1] if values.ndim == 3 else values
        if values.ndim == 2 and values.dtype.kind in "iu" and min(values.shape) >= 64:
            taken[series] = taken.get(series, 0) + 1
            frames.append((values.astype(np.int32), int(dataset.BitsStored)))
    return frames


def _prepared(rng: np.random.Generator, grounds: list[tuple[Values, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the folded signs of one example, and at half resolution what is ink and line, and what does not count."""
    case = example(rng, grounds)
    low, high = np.percentile(case.values, (0.05, 99.95))
    grey = np.clip((case.values - low) * (255 / max(high - low, 1)), -50, 305).astype(np.float32)
    if rng.random() < 0.6:  # in a whole frame, a part of it spans fewer grey levels
        share = float(np.exp(rng.uniform(np.log(0.12), 0)))
        grey = np.clip(grey * share + rng.uniform(0, 255 * (1 - share)), -50, 305).astype(np.float32)
    signs = signs_of(case.values, grey, None if case.lossy else ink_mask(case.values))
    planes, rows, columns = signs.shape
    folded = signs.reshape(planes, rows // 2, 2, columns // 2, 2).transpose(0, 2, 4, 1, 3).reshape(planes * 4, rows // 2, columns // 2)

    def halved(plane: np.ndarray) -> np.ndarray:
        return plane.reshape(rows // 2, 2, columns // 2, 2).max(axis=(1, 3))

    return folded, np.stack([halved((case.ink > 0.3).astype(np.float32)), halved(case.line)]), halved(case.unsure)


def _loss(logits: torch.Tensor, truth: torch.Tensor, unsure: torch.Tensor) -> torch.Tensor:
    counts = (1 - unsure)[:, None]
    weight = torch.tensor([1.3, 1.0])[:, None, None]
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none", pos_weight=weight) * counts
    found, true = torch.sigmoid(logits) * counts, truth * counts
    both = 2 * (found * true).sum((0, 2, 3)) + 50
    return 2 * entropy.mean() + 0.5 * (1 - both / (found.sum((0, 2, 3)) + true.sum((0, 2, 3)) + 50)).mean()


def _batch(rng: np.random.Generator, grounds: list[tuple[Values, int]], size: int = _BATCH) -> tuple[torch.Tensor, ...]:
    examples = [_prepared(rng, grounds) for _ in range(size)]
    return tuple(torch.from_numpy(np.stack(part)) for part in zip(*examples, strict=True))


def started_from(weights: Path, folded: torch.Tensor) -> InkNetwork:
    """Return a network that answers as the weights of an ONNX file do; `folded` is a large batch that its norms are set by.

    The file holds convolutions with the norms folded in: each norm gets the mean and deviation of its convolution's answers to the batch
    as what it has seen, and the same as its scale and shift, so that it changes nothing until it is trained. Weights of a narrower network
    fill the first channels of each layer; what the other channels say, random at first, counts nowhere until it is trained.
    """
    from onnx import load, numpy_helper

    graph = load(str(weights)).graph
    stored = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    convolutions = iter([(stored[node.input[1]], stored[node.input[2]]) for node in graph.node if node.op_type == "Conv"])
    network, shift = InkNetwork().eval(), torch.zeros(0)

    def take(module: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        nonlocal shift
        if isinstance(module, nn.Conv2d):
            weights, shift = next(convolutions)
            outputs, planes = weights.shape[:2]
            module.weight.data[:outputs, planes:] = 0
            module.weight.data[:outputs, :planes] = weights
            if module.bias is not None:
                module.bias.data = shift
        elif isinstance(module, nn.BatchNorm2d):
            mean, variance = inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3))
            module.running_mean, module.running_var = mean, variance
            old = len(shift)
            module.weight.data[:old] = torch.sqrt(variance + module.eps)[:old]
            module.bias.data[:old] = shift + mean[:old]

    hooks = [module.register_forward_pre_hook(take) for module in network.modules()]
    with torch.no_grad():
        network(folded)
    for hook in hooks:
        hook.remove()
    return network  # in eval mode: the norms keep what they have seen, which eight pictures cannot tell better


def train(network: InkNetwork, grounds: list[tuple[Values, int]], minutes: float, rate: float, seed: int, kept: Path) -> InkNetwork:
    """Return the network trained for so many minutes of one core, the rate falling to nothing along half a cosine.

    What is returned is the running mean of its states over some hundred steps; `kept` gets that as ONNX every few hundred steps.
    """
    rng = np.random.default_rng(seed)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as the processor multiplies
    mean = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(_DECAY), use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-4)
    halved = "avx512_bf16" in Path("/proc/cpuinfo").read_text(encoding="ascii")  # then twice as fast; a tenth as fast on others
    started, step, seen = time.process_time(), 0, []
    while (done := (time.process_time() - started) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 60) * max(0.5 * (1 + np.cos(np.pi * done)), 0.02)
        folded, truth, unsure = _batch(rng, grounds)
        folded = folded.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=halved):
            logits = network(folded)
        loss = _loss(logits.float(), truth, unsure)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimizer.step()
        mean.update_parameters(network)
        step += 1
        seen.append(float(loss.detach()))
        if step % 50 == 0:
            print(f"step {step}: {done:.0%}, loss {np.mean(seen[-50:]):.3f}", flush=True)
        if step % _KEEP == 0:
            export(mean.module, kept)
    return mean.module.eval()


def export(network: InkNetwork, path: Path) -> None:
    """Write a network that gives probabilities as ONNX, for pictures of any size."""
    network = copy.deepcopy(network).eval()
    names = {"input_names": ["signs"], "output_names": ["maps"]}
    axes = {"signs": {2: "rows", 3: "columns"}, "maps": {2: "rows", 3: "columns"}}
    torch.onnx.export(
        _Probabilities(network).eval(), torch.zeros(1, 24, 64, 96), str(path), dynamic_axes=axes, opset_version=17, dynamo=False, **names
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=Path, help="folder of DICOM files with CATALOG.csv; made grounds alone without it")
    parser.add_argument("--start", type=Path, help="weights to go on from, as ONNX; random ones without it")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rate", type=float, default=3e-3, help="of learning at its greatest; half of it when going on from weights")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True, help="written at the end, and every few hundred steps on the way")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    torch.manual_seed(chosen.seed)
    grounds = [ground(np.random.default_rng([chosen.seed, number])) for number in range(_MADE)]
    real = frames_without_text(chosen.frames) if chosen.frames else []
    grounds += real * max(600 // max(len(real), 1), 1)
    print(f"{_MADE} made grounds, {len(real)} real frames", flush=True)
    if chosen.start:
        network = started_from(chosen.start, _batch(np.random.default_rng(chosen.seed), grounds, 32)[0])
    else:
        network = InkNetwork().train()
    export(train(network, grounds, chosen.minutes, chosen.rate, chosen.seed, chosen.out), chosen.out)


if __name__ == "__main__":
    main()
