"""Speed of models of the published sizes, with random weights: bGPT (12 + 3 layers of 768) and image-GPT S (24 of 512).

What is coded does not matter for the speed, and what weights do is not measured here. Writes
benchmarks/results/large_models_speed.json. Run it on a machine with nothing else to do.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "benchmarks" / "results" / "large_models_speed.json"
Tensors = dict[str, NDArray[np.float32]]


def layers(prefix: str, count: int, width: int, positions: int, tokens: int, centred: bool) -> Tensors:
    """Random weights under GPT-2's names."""
    drawn = np.random.default_rng(count)
    shapes: dict[str, tuple[int, ...]] = {"wte.weight": (tokens, width), "wpe.weight": (positions, width)}
    kinds = ("weight", "bias") if centred else ("weight",)
    for i in range(count):
        for part, rows, columns in (
            ("attn.c_attn", 1, 3), ("attn.c_proj", 1, 1), ("mlp.c_fc", 1, 4), ("mlp.c_proj", 4, 1),
        ):  # fmt: skip
            shapes[f"h.{i}.{part}.weight"] = rows * width, columns * width
            shapes[f"h.{i}.{part}.bias"] = (columns * width,)
        shapes |= {f"h.{i}.{norm}.{kind}": (width,) for norm in ("ln_1", "ln_2") for kind in kinds}
    shapes |= {f"ln_f.{kind}": (width,) for kind in kinds}
    return {prefix + name: drawn.normal(0, 0.05, shape).astype(np.float32) for name, shape in shapes.items()}


def write(folder: Path, settings: dict[str, object], tensors: Tensors) -> str:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(settings))
    save_file(tensors, folder / "model.safetensors")
    return str(folder)


def bgpt(folder: Path) -> str:
    tensors = layers("patch_level_decoder.base.", 12, 768, 512, 1, True)
    tensors |= layers("byte_level_decoder.base.transformer.", 3, 768, 17, 257, True)
    tensors["patch_level_decoder.patch_embedding.weight"] = np.full((768, 16 * 257), 0.01, np.float32)
    tensors["patch_level_decoder.patch_embedding.bias"] = np.zeros(768, np.float32)
    settings = {"n_embd": 768, "n_head": 12, "patch_layers": 12, "byte_layers": 3, "patch_length": 512}
    return write(folder / "bgpt", {"model_type": "bgpt", **settings}, tensors)


def image_gpt(folder: Path) -> str:
    tensors = layers("transformer.", 24, 512, 1024, 513, False)
    tensors["lm_head.weight"] = np.random.default_rng(0).normal(0, 0.05, (512, 512)).astype(np.float32)
    np.save(folder / "clusters.npy", np.random.default_rng(1).uniform(-1, 1, (512, 3)))
    settings = {"n_embd": 512, "n_head": 8, "n_layer": 24, "n_positions": 1024, "vocab_size": 513}
    path = write(
        folder / "imagegpt", {"model_type": "imagegpt", "activation_function": "quick_gelu", **settings}, tensors
    )
    os.replace(folder / "clusters.npy", Path(path) / "clusters.npy")
    return path


def picture(side: int) -> bytes:
    y, x = np.mgrid[:side, :side]
    return b"P6 %d %d 255\n" % (side, side) + np.stack([x + y, 2 * x, 255 - y], -1).astype(np.uint8).tobytes()


def measure(model: str, data: bytes, little: bytes) -> dict[str, float]:
    import foretell

    # Loads and converts the model, and compiles what is used.
    foretell.decompress(foretell.compress(little, model=model))
    start = time.perf_counter()
    archive = foretell.compress(data, model=model)
    packed = time.perf_counter()
    if foretell.decompress(archive) != data:
        raise SystemExit("large_models_speed: an archive does not come back")
    unpacked = time.perf_counter()
    return {
        "bytes": len(data),
        "pack_bytes_s": round(len(data) / (packed - start), 1),
        "unpack_bytes_s": round(len(data) / (unpacked - packed), 1),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["FORETELL_CACHE"] = str(folder / "cache")
        wave = (128 + 60 * np.sin(np.arange(4000) / 9)).astype(np.uint8).tobytes()
        table = {
            "bgpt, one lane": measure(bgpt(folder), wave, wave[:64]),
            "imagegpt-small, four squares": measure(image_gpt(folder), picture(64), picture(10)),
        }
    TARGET.write_text(json.dumps(table, indent=1) + "\n")
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
