"""What LMCompress' own way gives with a model at hand: a language model that reads sound and pictures as tokens.

Beginnings of files only, since a language model takes a second for some hundred bytes: a part of a second of speech at
8 kHz and 8 bits (the paper's setting, converted by sox), and squares of 32 x 32 pixels out of the middle of
photographs. For each, bits a sample by the model alone (its probabilities of the tokens that stand for values, among
themselves), by the codec (the same, mixed online with contexts), by foretell's codecs for the medium and for any bytes,
and by FLAC, on the same samples, as whole files or archives; these have some 50 bytes of their own.

Reads $FORETELL_DATA (default ../shared/data); writes benchmarks/results/large_models.json, row by row.
"""

from __future__ import annotations

import argparse
import io
import json
import wave

import numpy as np
from audio import DATA, RESULTS, converted, measure_rival
from numpy.typing import NDArray
from PIL import Image

import foretell
from foretell.codecs.bytes import BytesCodec
from foretell.codecs.image.arrays import to_anymap
from foretell.codecs.pixels.codec import PROMPTS
from foretell.codecs.symbol_maps import BYTE_TOKENS, spell, symbol_rows
from foretell.models import registry
from foretell.models.streams import TokenModel

TARGET = RESULTS / "large_models.json"
SPEECH = ("LJ001-0001", "LJ001-0002", "LJ001-0004")
PHOTOS = ("kde_Autumn", "mate_Aqua")
SIDE = 32


def alone(stream: TokenModel, lanes: NDArray[np.int32]) -> float:
    """Bits a symbol by the model's own probabilities."""
    frequencies = stream.predict(lanes)
    taken = np.take_along_axis(frequencies, lanes[..., None], 2)[..., 0]
    return float(-np.log2(taken / frequencies.sum(2, dtype=np.int64)).mean())


def waves(samples: bytes) -> bytes:
    """WAV file of samples at 8 kHz, 8 bits."""
    out = io.BytesIO()
    with wave.open(out, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(1)
        target.setframerate(8000)
        target.writeframes(samples)
    return out.getvalue()


def size_of(data: bytes, **options: str) -> float:
    """Bits of an archive, which is checked to come back."""
    archive = foretell.compress(data, **options)
    if foretell.decompress(archive) != data:
        raise SystemExit("large_models: an archive does not come back")
    return 8 * len(archive)


def speech(name: str, model: registry.Model, count: int) -> dict[str, object]:
    """Row of the first samples of a file of speech."""
    data = converted((DATA / "speech" / f"{name}.wav").read_bytes())
    if data is None:
        raise SystemExit("large_models: needs sox")
    with wave.open(io.BytesIO(data)) as sound:
        samples = sound.readframes(min(count, sound.getnframes()))
    stream = TokenModel(model, symbol_rows(model.vocabulary, BYTE_TOKENS))
    (payload,) = BytesCodec(model).encode_frames([samples])
    flac = measure_rival("flac -8ep", waves(samples))
    lane = np.frombuffer(samples, np.uint8).astype(np.int32)[None]
    return {
        "samples": len(samples),
        "model alone": round(alone(stream, lane), 4),
        "model, mixed": round(8 * len(payload) / len(samples), 4),
        "octets": round(size_of(samples, codec="octets") / len(samples), 4),
        "audio": round(size_of(waves(samples)) / len(samples), 4),
        "flac -8ep": round(8 * flac["bytes"] / len(samples), 4) if flac else None,
    }


def photograph(name: str, model: registry.Model) -> dict[str, object]:
    """Row of a square out of the middle of a photograph."""
    pixels = np.asarray(Image.open(DATA.parent / "image" / "photo" / f"{name}.png").convert("RGB"))
    y, x = (size // 2 for size in pixels.shape[:2])
    square = np.ascontiguousarray(pixels[y : y + SIDE, x : x + SIDE])
    raw, count = to_anymap(square), square.size
    rows = symbol_rows(model.vocabulary, BYTE_TOKENS)
    stream = TokenModel(model, rows, spell(model.vocabulary, PROMPTS[3]))
    patches = square.reshape(2, 16, 2, 16, 3).swapaxes(1, 2).reshape(4, -1).astype(np.int32)
    options = {"codec": "pixels", "tokens": "bytes", "model": model.name}
    return {
        "samples": count,
        "model alone": round(alone(stream, patches), 4),
        "model, mixed": round(size_of(raw, **options) / count, 4),
        "octets": round(size_of(raw, codec="octets") / count, 4),
        "image": round(size_of(raw, codec="image") / count, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--samples", type=int, default=3000, help="samples of each file of speech")
    args = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"large_models: no data in {DATA}; set FORETELL_DATA")
    model = registry.load_any(args.model)
    table = json.loads(TARGET.read_text()) if TARGET.is_file() else {}
    for kind, names in (("speech", SPEECH), ("photo", PHOTOS)):
        for name in names:
            key = f"{args.model} {kind}/{name}"
            if key not in table:
                table[key] = speech(name, model, args.samples) if kind == "speech" else photograph(name, model)
                TARGET.write_text(json.dumps(table, indent=1) + "\n")
            print(key, "  ".join(f"{label} {value}" for label, value in table[key].items()), flush=True)


if __name__ == "__main__":
    main()
