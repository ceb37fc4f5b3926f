"""Trains the networks of the picture coder (weights/image) and measures them on pictures that were held out.

Reads $FORETELL_DATA/image/photo (default ../shared/data/image/photo). The coder runs over every picture without coding,
and what its network would see of every sixth sample is kept, with the sample. The loss is the code length of the sample
under the mixture. The last epochs are trained with weights rounded to the int8 that ships. Then the mixers of the coder
learn from the same pictures, coded one after another. Writes weights/image/network.safetensors; takes 6 minutes on one
core.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
from image_heldout import HELD_OUT
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save_file
from torch import Tensor, nn

from foretell.codecs.image import raster, weights
from foretell.codecs.image.coder import begin_row, end_row
from foretell.codecs.image.contexts import texture_of
from foretell.codecs.image.least_squares import BLOCK, accumulate, close_block, solve_block
from foretell.codecs.image.model import (
    FINALS,
    FIRST_COUNT,
    INPUTS,
    LARGEST,
    OWN_COUNT,
    SECOND_COUNT,
    WIDTH,
    PlaneModel,
    plain_start,
)
from foretell.codecs.image.network import fill_network
from foretell.codecs.image.pipeline import run_tasks
from foretell.codecs.image.planes import ABOVE, BELOW, SIDE, Picture, inside
from foretell.codecs.image.predict import CENTRE, gather, learn_sample, measure, predict, sharpen
from foretell.compilation import compiled

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FORETELL_DATA", ROOT.parent / "shared" / "data")) / "image" / "photo"
TARGET = ROOT / "weights" / "image" / "network.safetensors"
STRIDE = 6
BATCH = 4096
EPOCHS, ROUNDED_EPOCHS = 8, 3
START_SIDE = 400
"""Rows and columns of the pictures that the mixers are trained on."""
MOST_COUNT = 60
"""Largest count that is kept in the maps, so that they still learn."""
_F = np.float32
K = weights.COMPONENTS


@compiled
def observe(
    model: PlaneModel,
    picture: Picture,
    height: int,
    inputs: NDArray[np.int8],
    facts: NDArray[np.float32],
) -> int:
    """Run over a plane as the coder does; note what the network would see, and value, centre, spread and largest."""
    own, width, fixed = picture.own, model.fixed[WIDTH], model.fixed
    n = fixed[OWN_COUNT] + fixed[FIRST_COUNT] + fixed[SECOND_COUNT]
    place, state = 0, np.uint64(88172645463325252)
    for row in range(height):
        y, now = row + ABOVE, row & 1
        begin_row(model, own, y, now)
        for column in range(width):
            x = column + SIDE
            if column % BLOCK == 0:
                solve_block(model.above, model.row, column // BLOCK, n, model.work, model.scaled, model.fit)
            base = gather(model, picture, y, x)
            predict(model, picture, base, y, x)
            measure(model, now, x)
            middle = np.int64(model.centres[CENTRE] + _F(0.5))
            texture = texture_of(own, middle, y, x)
            bias = sharpen(model, picture, texture, y, x)
            value = np.int64(own[y, x])
            picture.own_error[y, x] = value - middle
            state ^= state << np.uint64(13)
            state ^= state >> np.uint64(7)
            state ^= state << np.uint64(17)
            if state % np.uint64(STRIDE) == np.uint64(0) and row > 8 and place < inputs.shape[0]:
                fill_network(model, picture, base, bias, y, x)
                inputs[place] = model.network.inputs
                facts[place, 0], facts[place, 1] = value, model.centres[CENTRE]
                facts[place, 2], facts[place, 3] = model.spreads[CENTRE], fixed[LARGEST]
                place += 1
            weight = learn_sample(model, picture, value, base, texture, y, now, x)
            accumulate(model.sums, model.features, model.scaled_features, n, weight)
            if column % BLOCK == BLOCK - 1 or column == width - 1:
                close_block(model.above, model.row, model.sums, column // BLOCK, n)
        end_row(model, own, y, now)
    own[-BELOW:] = own[-BELOW - 1]
    return place


def gather_pictures(names: list[Path]) -> list[tuple[NDArray[np.int8], NDArray[np.float32]]]:
    """Inputs and facts for planes with 0, 1 and 2 references."""
    parts: list[list[tuple[NDArray[np.int8], NDArray[np.float32]]]] = [[], [], []]
    for path in names:
        pixels = np.ascontiguousarray(np.asarray(Image.open(path)).transpose(2, 0, 1)).astype(np.int32)
        tasks = raster.new_tasks(pixels.shape, [int(plane.max()) for plane in pixels], None, network=False)
        for (channel, known), task in zip(raster.coding_order(3), tasks, strict=True):
            inside(task.picture.own)[:] = pixels[channel]
            room = pixels[0].size // STRIDE + 2000
            inputs, facts = np.zeros((room, weights.INPUTS), np.int8), np.zeros((room, 4), np.float32)
            count = observe(task.model, task.picture, pixels.shape[1], inputs, facts)
            parts[len(known)].append((inputs[:count], facts[:count]))
    return [(np.concatenate([a for a, _ in part]), np.concatenate([b for _, b in part])) for part in parts]


class Samples:
    """Inputs and the ends of each sample's interval, from the centre in units of its spread."""

    def __init__(self, inputs: NDArray[np.int8], facts: NDArray[np.float32]) -> None:
        value, centre, spread, largest = facts.T
        self.inputs = torch.from_numpy(inputs)
        self.low = torch.from_numpy(np.where(value <= 0, -1e6, (value - 0.5 - centre) / spread).astype(np.float32))
        self.high = torch.from_numpy(
            np.where(value >= largest, 1e6, (value + 0.5 - centre) / spread).astype(np.float32)
        )

    def bits(self, network: Net, places: Tensor) -> Tensor:
        """Code lengths of some samples."""
        x = self.inputs[places].float() / (1 << weights.INPUT_BITS)
        return code_length(network(x), self.low[places, None], self.high[places, None])


def code_length(outputs: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Bits of samples under mixtures of 0.85 logistic(1) + 0.15 logistic(2.5)."""
    share = torch.softmax(outputs[:, :K] * 0.6931472, 1)
    narrow = torch.exp2(-outputs[:, 2 * K : 3 * K].clamp(-6, 6))
    a, b = (low - outputs[:, K : 2 * K]) * narrow, (high - outputs[:, K : 2 * K]) * narrow
    flip = a + b < 0
    a, b = torch.where(flip, a, -b), torch.where(flip, b, -a)
    light = torch.sigmoid(b) - torch.sigmoid(a)
    heavy = torch.sigmoid(b / 2.5) - torch.sigmoid(a / 2.5)
    return -torch.log2((share * (0.85 * light + 0.15 * heavy)).sum(1).clamp_min(1e-9))


class Net(nn.Module):
    """The three layers in floating point; ``rounding`` has them use the weights that would ship."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for outputs, inputs in weights.SHAPES)
        self.bits = [6, 6, 6]
        self.rounding = False
        with torch.no_grad():
            self.layers[2].weight.mul_(0.1)
            self.layers[2].bias.zero_()
            self.layers[2].bias[2 * K : 3 * K] = torch.linspace(-0.5, 1, K)

    def begin_rounding(self) -> None:
        """Choose how many fraction bits the weights of each layer can have in int8."""
        for k, layer in enumerate(self.layers):
            most = torch.quantile(layer.weight.detach().abs().flatten(), 0.998)
            self.bits[k] = int(torch.floor(torch.log2(127 / most)).clamp(3, 8))
        self.rounding = True

    def _weight(self, k: int) -> Tensor:
        weight: Tensor = self.layers[k].weight
        if not self.rounding:
            return weight
        unit = 2.0 ** self.bits[k]
        rounded = (weight * unit).round().clamp(-127, 127) / unit
        return weight + (rounded - weight).detach()

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of a batch of inputs."""
        ceiling = weights.CEILING / (1 << weights.HIDDEN_BITS)
        for k in range(2):
            x = torch.clamp(nn.functional.linear(x, self._weight(k), self.layers[k].bias), 0, ceiling)
        return nn.functional.linear(x, self._weight(2), self.layers[2].bias)

    def export(self, references: int) -> dict[str, NDArray[np.generic]]:
        """Integers that ship."""
        given = (weights.INPUT_BITS, weights.HIDDEN_BITS, weights.HIDDEN_BITS)
        wanted = (weights.HIDDEN_BITS, weights.HIDDEN_BITS, weights.OUTPUT_BITS)
        stored: dict[str, NDArray[np.generic]] = {}
        shifts = []
        for k, layer in enumerate(self.layers):
            unit = 2.0 ** self.bits[k]
            shift = given[k] + self.bits[k] - wanted[k]
            bias = layer.bias.detach().double() * unit * 2.0 ** given[k] + 2.0 ** (shift - 1)  # rounds the sum
            stored[f"{references}.{k}.weight"] = (
                (layer.weight.detach() * unit).round().clamp(-127, 127).to(torch.int8).numpy()
            )
            stored[f"{references}.{k}.bias"] = bias.round().to(torch.int32).numpy()
            shifts.append(shift)
        stored[f"{references}.shifts"] = np.array(shifts, np.int32)
        return stored


def mean_bits(network: Net, samples: Samples) -> float:
    """Mean code length, each sample counted as at most 16 bits."""
    with torch.no_grad():
        parts = torch.arange(len(samples.low)).split(1 << 16)
        return float(torch.cat([samples.bits(network, part) for part in parts]).clamp_max(16).mean())


def train(training: Samples, held_out: Samples) -> Net:
    """Train a network; prints code lengths after every epoch."""
    network = Net()
    steps = (EPOCHS + ROUNDED_EPOCHS) * (len(training.low) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, total_steps=steps + 1, pct_start=0.1)
    for epoch in range(EPOCHS + ROUNDED_EPOCHS):
        if epoch == EPOCHS:
            network.begin_rounding()
        start, total = time.perf_counter(), 0.0
        batches = torch.randperm(len(training.low)).split(BATCH)[:-1]
        for places in batches:
            loss = training.bits(network, places).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        if epoch % 3 == 2 or epoch >= EPOCHS - 1:
            print(
                f"  epoch {epoch + 1:2}: {total / len(batches):.4f} bits, held out {mean_bits(network, held_out):.4f}, "
                f"{time.perf_counter() - start:.1f} s{', rounded' if network.rounding else ''}",
                flush=True,
            )
    return network


def train_start(names: list[Path]) -> dict[str, NDArray[np.generic]]:
    """Mixers and maps after coding pictures one after another, each with what those before it had taught."""
    learnt: list[tuple[NDArray[np.int32], ...]] = [()] * 3
    for path in names:
        pixels = np.ascontiguousarray(np.asarray(Image.open(path)).transpose(2, 0, 1)).astype(np.int32)
        pixels = np.ascontiguousarray(pixels[:, :START_SIDE, :START_SIDE])
        tasks = raster.new_tasks(pixels.shape, [int(plane.max()) for plane in pixels], None)
        for (channel, known), task in zip(raster.coding_order(3), tasks, strict=True):
            inside(task.picture.own)[:] = pixels[channel]
            model = task.model
            arrays = (model.weights, model.final_weights, model.history_maps)
            fresh = plain_start() if not learnt[len(known)] else learnt[len(known)]
            for array, value in zip(arrays, fresh, strict=True):
                array[:] = value.ravel()
            learnt[len(known)] = arrays
        run_tasks(tasks)
    stored: dict[str, NDArray[np.generic]] = {}
    for references, (rows, finals, maps) in enumerate(learnt):
        most = (1 << 15) - 1
        rounded = np.clip((rows + (1 << weights.ROW_SHIFT - 1)) >> weights.ROW_SHIFT, -most, most).astype(np.int16)
        stored[f"{references}.rows"] = rounded.reshape(-1, INPUTS)
        stored[f"{references}.finals"] = finals.reshape(-1, FINALS)
        stored[f"{references}.histories"] = maps & ~np.uint32(1023) | np.minimum(maps & 1023, MOST_COUNT).astype(
            np.uint32
        )
    return stored


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    if not DATA.is_dir():
        print(f"image_network: no data in {DATA}; set FORETELL_DATA to a folder with image/photo")
        return 1
    torch.manual_seed(0)
    torch.set_num_threads(1)
    pictures = sorted(DATA.glob("*.png"))
    chosen = [path for path in pictures if path.stem not in HELD_OUT]
    stored = train_networks(chosen, [path for path in pictures if path.stem in HELD_OUT])
    # The mixers are trained with the network in place; what they begin with here is replaced.
    rows = {f"{r}.{name}": value for r in range(3) for name, value in untrained().items()}
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    save_file(stored | rows, TARGET)
    save_file(stored | train_start(chosen), TARGET)
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")
    return 0


def train_networks(chosen: list[Path], rest: list[Path]) -> dict[str, NDArray[np.generic]]:
    """Networks for 0, 1 and 2 references, from pictures that were chosen, measured on the rest."""
    training, held_out = gather_pictures(chosen), gather_pictures(rest)
    stored: dict[str, NDArray[np.generic]] = {}
    for references in range(3):
        print(f"{references} references: {len(training[references][0])} samples", flush=True)
        stored |= train(Samples(*training[references]), Samples(*held_out[references])).export(references)
    return stored


def untrained() -> dict[str, NDArray[np.generic]]:
    """Start of the mixers without training, as it is stored."""
    start = plain_start()
    rows = (start.rows >> weights.ROW_SHIFT).astype(np.int16)
    return {"rows": rows, "finals": start.finals, "histories": start.histories}


if __name__ == "__main__":
    raise SystemExit(main())
