"""Train the network that helps the audio codec, ``weights/audio/network.safetensors``, and its digest for the docs.

``python benchmarks/audio_network.py collect FOLDER OUT``: run the codec over the WAV files of a folder (16 bits) and
keep what it tells the network; files are varied in loudness, and some of one channel get noise or lose their treble, so
that the network meets more kinds of recordings than there are at hand.
``python benchmarks/audio_network.py train OUT CHECKPOINT [--minutes 4] [--resume]``: train in float, then with rounded
weights and activations. ``python benchmarks/audio_network.py export CHECKPOINT``: write the integers that ship.
``python benchmarks/audio_network.py compare FOLDER ...``: payloads at level 6 with the network and without it, folder
by folder, to benchmarks/results/audio-network.json.

What the shipped weights were trained on, and how they do, is in ``weights/audio/README.md``. Held out were all files of
``benchmarks/audio.py`` and one of the speakers.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import time
import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional

from foretell.codecs.audio.codec import AudioCodec, trace_samples
from foretell.codecs.audio.containers import find_sound
from foretell.codecs.audio.network import FEATURES, OUTPUTS, PARTS
from foretell.codecs.audio.presets import PAIRED, SINGLE

WEIGHTS = Path(__file__).resolve().parent.parent / "weights" / "audio" / "network.safetensors"
WIDTH, LAYERS = 32, 8
WEIGHT_UNIT, UNIT = 64.0, 32.0
LONGEST = 40_000
BATCH, STEPS, CONTEXT = 16, 1536, 256


def varied(sound: NDArray[np.int16], random: np.random.Generator) -> NDArray[np.int32]:
    """The sound as other recordings might have it."""
    values = sound.astype(np.float64)
    kind = random.random()
    if sound.shape[1] == 1 and kind < 0.35:
        hiss = random.normal(size=values.shape)
        hiss[1:] -= random.uniform(-0.9, 0.9) * hiss[:-1]
        values += hiss * 2.0 ** random.uniform(0, 7.5)
    elif sound.shape[1] == 1 and kind < 0.55:
        spectrum = np.fft.rfft(values[:, 0])
        spectrum[int(spectrum.size * random.uniform(0.55, 0.95)) :] *= 10 ** random.uniform(-4, -1)
        values = np.fft.irfft(spectrum, values.shape[0])[:, None]
    if random.random() < 0.6:
        values *= 2.0 ** random.uniform(-5, 0.5)
    return np.clip(np.rint(values), -32768, 32767).astype(np.int32)


def collect(folder: Path, out: Path) -> None:
    random = np.random.default_rng(7)
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.rglob("*.wav")):
        with wave.open(str(path)) as file:
            if file.getsampwidth() != 2 or file.getnframes() < 2000:
                continue
            sound = np.frombuffer(file.readframes(min(file.getnframes(), LONGEST)), "<i2")
            sound = sound.reshape(-1, file.getnchannels())
        trace = trace_samples(varied(sound, random))
        for channel in range(trace.shape[1]):
            np.save(out / f"{path.stem}-{channel}.npy", trace[:, channel].astype(np.float32))


def rounded(values: Tensor, unit: float, least: float, most: float) -> Tensor:
    """Nearest integers in units, with the gradient of what was not rounded."""
    whole = torch.clamp(torch.round(values * unit), least, most) / unit
    return values + (whole - values).detach()


class Network(nn.Module):
    """The network as the codec runs it, in float or with the codec's rounding."""

    def __init__(self) -> None:
        super().__init__()
        self.rounds = False
        self.first = nn.Conv1d(FEATURES, WIDTH, 1)
        self.layers = nn.ModuleList([nn.Conv1d(WIDTH, WIDTH, 2, dilation=1 << layer) for layer in range(LAYERS)])
        self.hidden = nn.Conv1d(WIDTH, WIDTH, 1)
        self.last = nn.Conv1d(WIDTH, 3 * PARTS, 1)
        with torch.no_grad():
            for layer in self.layers:
                layer.weight *= 0.7
            self.last.weight *= 0.1
            self.last.bias.zero_()
            self.last.bias[2 * PARTS :] = torch.tensor([-0.9, -0.3, 0.2])

    def apply_layer(self, layer: nn.Conv1d, values: Tensor) -> Tensor:
        """One convolution."""
        weight, bias = layer.weight, layer.bias
        if self.rounds:
            weight = rounded(weight, WEIGHT_UNIT, -127, 127)
            bias = rounded(bias, WEIGHT_UNIT * UNIT, -1e9, 1e9)
        return functional.conv1d(values, weight, bias, dilation=layer.dilation)

    def activate(self, values: Tensor) -> Tensor:
        """What is positive."""
        active = torch.relu(values)
        return rounded(active, UNIT, 0, 1023) if self.rounds else active

    def forward(self, features: Tensor) -> Tensor:
        """Outputs (batch, 9, time) for features (batch, FEATURES, time), in units of 1/32."""
        stream = self.activate(self.apply_layer(self.first, features))
        for layer in self.layers:
            padded = functional.pad(stream, (layer.dilation[0], 0))
            stream = (stream + self.activate(self.apply_layer(layer, padded))).clamp(max=1023 / UNIT)
        return self.apply_layer(self.last, self.activate(self.apply_layer(self.hidden, stream)))


def cost(outputs: Tensor, residual: Tensor, step: Tensor) -> Tensor:
    """Bits of the interval of one step around a residual, for outputs of shape (batch, 9, time)."""
    weight = torch.log_softmax(outputs[:, :PARTS], 1)
    place = outputs[:, PARTS : 2 * PARTS]
    inverse = torch.exp(-torch.clamp(outputs[:, 2 * PARTS :], -4, 4))
    half = 0.5 * step[:, None]
    upper, lower = (residual[:, None] + half - place) * inverse, (residual[:, None] - half - place) * inverse
    inside = functional.logsigmoid(upper) + functional.logsigmoid(-lower)
    inside = inside + torch.log(-torch.expm1((lower - upper).clamp(max=-1e-6)))
    return -torch.logsumexp(weight + inside, 1) / math.log(2)


def batches(traces: list[NDArray[np.float32]], random: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
    """Features, residuals, steps, and which samples count: those with enough before them."""
    while True:
        features = np.zeros((BATCH, FEATURES, STEPS), np.float32)
        rest = np.zeros((3, BATCH, STEPS), np.float32)
        rest[1] = 1
        for row in range(BATCH):
            trace = traces[random.integers(len(traces))]
            start = max(int(random.integers(-CONTEXT // 2, max(1, len(trace) - STEPS // 2))), 0)
            piece = trace[start : start + STEPS]
            features[row, :, : len(piece)] = piece[:, :FEATURES].T
            rest[0, row, : len(piece)], rest[1, row, : len(piece)] = piece[:, FEATURES], piece[:, FEATURES + 1]
            rest[2, row, CONTEXT if start else 0 : len(piece)] = 1
        yield torch.from_numpy(features / 32), *torch.from_numpy(rest)


def train(folder: Path, checkpoint: Path, minutes: float, *, resume: bool) -> None:
    torch.manual_seed(0)
    traces = [trace for path in sorted(folder.glob("*.npy")) if len(trace := np.load(path, mmap_mode="r")) > 2000]
    network = Network()
    if resume:
        network.load_state_dict(torch.load(checkpoint, weights_only=True))
    top = 1e-3 if resume else 2e-3
    optimiser = torch.optim.AdamW(network.parameters(), lr=top, weight_decay=1e-4, betas=(0.9, 0.98))
    source = batches(traces, np.random.default_rng(int(resume)))
    begin, step, losses = time.process_time(), 0, [0.0]
    while (share := (time.process_time() - begin) / (60 * minutes)) < 1:
        network.rounds = resume or share > 0.65
        rate = top * min(1, (step + 1) / 100) * max(0.02, 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        features, residual, size, counts = next(source)
        with torch.autocast("cpu", torch.bfloat16, enabled=not network.rounds):
            outputs = network(features)
        bits = cost(outputs.float(), residual, size).clamp(max=30)
        loss = (bits * counts).sum() / counts.sum()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
        step += 1
        if step % 500 == 0:
            print(f"{step} steps, {share:.0%}: {np.mean(losses[-500:]):.4f} bits a sample", flush=True)
            torch.save(network.state_dict(), checkpoint)
    torch.save(network.state_dict(), checkpoint)


def export(checkpoint: Path) -> None:
    state = {name: tensor.numpy() for name, tensor in torch.load(checkpoint, weights_only=True).items()}

    def weights(name: str, tap: int = 0) -> NDArray[np.int8]:
        return np.clip(np.rint(state[f"{name}.weight"][:, :, tap].T * WEIGHT_UNIT), -127, 127).astype(np.int8)

    def bias(name: str) -> NDArray[np.int32]:
        return np.rint(state[f"{name}.bias"] * WEIGHT_UNIT * UNIT).astype(np.int32)

    layers = [f"layers.{layer}" for layer in range(LAYERS)]
    last, last_bias = np.zeros((WIDTH, OUTPUTS), np.int8), np.zeros(OUTPUTS, np.int32)
    last[:, : 3 * PARTS], last_bias[: 3 * PARTS] = weights("last"), bias("last")
    arrays = {
        "first": weights("first"),
        "first_bias": bias("first"),
        "layers": np.stack([np.concatenate([weights(name, 0), weights(name, 1)]) for name in layers]),
        "layers_bias": np.stack([bias(name) for name in layers]),
        "hidden": weights("hidden"),
        "hidden_bias": bias("hidden"),
        "last": last,
        "last_bias": last_bias,
    }
    WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, WEIGHTS)
    print(f"{WEIGHTS}: SHA-256 {hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()}")


def compare(folders: list[Path]) -> None:
    rows = {}
    single, paired = SINGLE[2], PAIRED[2]
    for folder in folders:
        totals = []
        for known in (True, False):
            SINGLE[2] = single if known else replace(single, network=())
            PAIRED[2] = paired if known else replace(paired, network=())
            sizes = []
            for path in sorted(folder.glob("*.wav")):
                data = path.read_bytes()
                sound = find_sound(data)
                payload = sound and AudioCodec(6).encode_samples(data, sound.form, *sound.within(0, len(data)))
                sizes.append(len(payload or data))
            totals.append(sizes)
        with_it, without = totals
        mean = float(np.mean(np.array(with_it) / np.array(without) - 1))
        rows[folder.name] = {"files": len(with_it), "with": sum(with_it), "without": sum(without), "mean_change": mean}
        print(f"{folder.name}: {rows[folder.name]}", flush=True)
    SINGLE[2], PAIRED[2] = single, paired
    target = WEIGHTS.parents[2] / "benchmarks" / "results" / "audio-network.json"
    target.write_text(json.dumps(rows, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("collect", "train", "export", "compare"))
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--minutes", type=float, default=4.0, help="of processor time")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint, with rounding throughout")
    args = parser.parse_args()
    if args.step == "collect":
        collect(*args.paths)
    elif args.step == "train":
        train(*args.paths, args.minutes, resume=args.resume)
    elif args.step == "export":
        export(*args.paths)
    else:
        compare(args.paths)


if __name__ == "__main__":
    main()
