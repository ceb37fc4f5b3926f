"""``foretell info``."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING, Any, BinaryIO

from foretell.cli import options
from foretell.cli.files import STANDARD, open_output, open_seekable
from foretell.cli.report import complain, print_json
from foretell.codecs.base import AUDIO, CODEC_NAMES
from foretell.errors import ForetellError

if TYPE_CHECKING:
    from foretell.archive.index import Entry, Index, Member
    from foretell.archive.seek import ArchiveFile

_FEW_FRAMES = 20
_BARS = "▁▂▃▄▅▆▇█"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    options.add_files(parser, "archives to describe")
    parser.add_argument(
        "--map",
        metavar="FILE.png",
        help="draw the bits that every pixel of a packed picture took, or of a video on average, "
        "or those of a sound over time; decodes it",
    )
    parser.add_argument("-f", "--force", action="store_true", help="overwrite the map")
    options.add_memory(parser)
    options.add_talk(parser)


def run(args: argparse.Namespace) -> int:
    """Describe the archives."""
    if args.map and len(args.files) > 1:
        complain("--map draws one archive: name only one")
        return 2
    status = 0
    for source in args.files or [STANDARD]:
        try:
            values = _describe(source)
            if args.map:
                values["map"] = _draw(source, args.map, force=args.force, memory_limit=args.memory)
        except ForetellError as error:
            complain(str(error.at(source)))
            status = 1
        except OSError as error:
            complain(f"{error.filename or source}: {error.strerror or error}")
            status = 1
        else:
            if args.json:
                print_json(values)
            else:
                print("\n".join(_lines(values, None if args.verbose else 0 if args.quiet else _FEW_FRAMES)))
    return status


def _describe(source: str) -> dict[str, Any]:
    from foretell.archive.index import read_index

    with open_seekable(source) as file:
        index = read_index(file)
        pictures = _describe_pictures(file, index)
        sounds, seconds = _describe_sounds(file, index)
    archives = [_describe_member(index, number, member) for number, member in enumerate(index.members)]
    for number, archive in enumerate(archives):
        archive["pictures"] = [pictures[frame["frame"]] for frame in archive["frames"] if frame["frame"] in pictures]
        archive["sound"] = [sounds[frame["frame"]] for frame in archive["frames"] if frame["frame"] in sounds]
        archive["sound_seconds"] = seconds[number]
    return {"input": source, "raw_bytes": index.raw_size, "archives": archives}


def _describe_member(index: Index, number: int, member: Member) -> dict[str, Any]:
    entries = [entry for entry in index.entries if entry.member == number]
    raw, coded = Counter[str](), Counter[str]()
    for entry in entries:
        name = CODEC_NAMES[entry.head.kind]
        raw[name] += entry.head.size
        coded[name] += entry.head.record_size
    return {
        "offset": member.offset,
        "archive_bytes": member.size,
        "raw_bytes": member.raw_size,
        "bits_per_byte": round(8 * member.size / member.raw_size, 6) if member.raw_size else 0.0,
        "level": member.level,
        "sha256": member.digest.hex(),
        "name": member.origin.name if member.origin else None,
        "model": _describe_model(member.model) if member.model else None,
        "codecs": {name: {"raw_bytes": raw[name], "coded_bytes": coded[name]} for name in raw},
        "frames": [_describe_frame(entry) for entry in entries],
    }


def _describe_frame(entry: Entry) -> dict[str, Any]:
    return {
        "frame": entry.number,
        "codec": CODEC_NAMES[entry.head.kind],
        "start": entry.start,
        "raw_bytes": entry.head.size,
        "coded_bytes": entry.head.coded,
        "offset": entry.offset,
    }


def _describe_pictures(file: BinaryIO, index: Index) -> dict[int, dict[str, Any]]:
    """Size and depth of the frames that are pictures or video, by number."""
    from foretell.codecs.image.describe import PEEK, describe

    found = {}
    for entry in index.entries:
        if CODEC_NAMES[entry.head.kind] in ("image", "video", "pixels"):
            file.seek(entry.offset + entry.head.head_size)
            picture = describe(entry.head.kind, file.read(min(entry.head.coded, PEEK)), entry.head.size)
            if picture:
                found[entry.number] = {"frame": entry.number, **picture}
    return found


def _describe_sounds(file: BinaryIO, index: Index) -> tuple[dict[int, dict[str, Any]], list[float]]:
    """Layout, length and bits per sample of the frames that are sound, by number; and seconds of each archive."""
    from foretell.archive.sounds import sound_frames, sound_seconds

    frames = sound_frames(file, index.entries)
    seconds, start = [], 0
    for number, member in enumerate(index.members):
        seconds.append(sound_seconds([f for f in frames if f.entry.member == number], start, member.raw_size))
        start += member.raw_size
    described = {
        frame.entry.number: {
            "frame": frame.entry.number,
            "format": frame.layout.form.name,
            "channels": frame.layout.form.channels,
            "rate": frame.layout.form.rate,
            "seconds": frame.samples / frame.layout.form.rate,
            "bits_per_sample": 8 * frame.entry.head.coded / max(frame.samples * frame.layout.form.channels, 1),
        }
        for frame in frames
    }
    return described, seconds


def _draw(source: str, target: str, *, force: bool, memory_limit: int) -> dict[str, Any]:
    """Write a picture of where the bits went; return what it shows."""
    from foretell.archive.seek import ArchiveFile

    with open_seekable(source) as file:
        archive = ArchiveFile(file, memory_limit=memory_limit)
        sound = any(entry.head.kind == AUDIO for entry in archive.index.entries)
        picture, shown = (_draw_sound if sound else _draw_pixels)(archive, memory_limit)
    with open_output(target, force=force, binary=True) as out:
        out.write(picture)
    return {"file": target, **shown}


def _draw_pixels(archive: ArchiveFile, memory_limit: int) -> tuple[bytes, dict[str, float]]:
    from foretell.archive.pictures import bits_map
    from foretell.codecs.image.heat import draw_map

    bits = bits_map(archive, memory_limit)
    picture, most = draw_map(bits)
    return picture, {"mean_bits_per_pixel": float(bits.mean()), "brightest_bits_per_pixel": most}


def _draw_sound(archive: ArchiveFile, memory_limit: int) -> tuple[bytes, dict[str, float]]:
    import numpy as np

    from foretell.archive.sounds import bits_by_time
    from foretell.codecs.audio.plot import draw_bits

    times, bits = bits_by_time(archive, memory_limit)
    mean = float(np.average(bits, weights=np.diff(times, prepend=0.0)))
    return draw_bits(times, bits), {"mean_bits_per_sample": mean, "most_bits_per_sample": float(bits.max())}


def _describe_model(digest: bytes) -> dict[str, Any]:
    from foretell.models import registry

    for model in registry.list_models():
        if model.digest == digest.hex():
            return {"sha256": digest.hex(), "name": model.name, "installed": model.installed}
    return {"sha256": digest.hex(), "name": None, "installed": False}


def _lines(values: dict[str, Any], most_frames: int | None) -> list[str]:
    lines = []
    for archive in values["archives"]:
        lines += [
            f"{values['input']}: {archive['raw_bytes']} bytes in {archive['archive_bytes']}, "
            f"{archive['bits_per_byte']:.3f} bits per byte",
            f"  level    {archive['level']}",
            f"  sha-256  {archive['sha256']}",
        ]
        if archive["name"]:
            lines.append(f"  name     {archive['name']}")
        if archive["model"]:
            lines.append(f"  model    {_model_line(archive['model'])}")
        lines += _picture_lines(archive["pictures"])
        lines += _sound_lines(archive["sound"], archive["sound_seconds"])
        lines += _codec_lines(archive) + _frame_lines(archive["frames"], most_frames)
    if "map" in values:
        lines.append(_map_line(values["map"]))
    return lines


def _map_line(drawn: dict[str, Any]) -> str:
    if "mean_bits_per_sample" in drawn:
        mean, most = drawn["mean_bits_per_sample"], drawn["most_bits_per_sample"]
        return f"  map      {drawn['file']}: {mean:.2f} bits per sample, at most {most:.1f}"
    mean, most = drawn["mean_bits_per_pixel"], drawn["brightest_bits_per_pixel"]
    return f"  map      {drawn['file']}: {mean:.2f} bits per pixel, brightest {most:.1f}"


def _picture_lines(pictures: list[dict[str, Any]]) -> list[str]:
    """One line for all frames of one picture: bands add up."""
    if not pictures:
        return []
    first = pictures[0]
    if first["kind"] == "video":
        frames = sum(picture["frames"] for picture in pictures)
        form = f"{first['colour']}, {first['depth']} bits, {frames} frames"
    elif "width" not in first:
        return []
    else:
        form = f"{first['channels']} channels, {first['depth']} bits"
    height = first["height"] if first["kind"] == "video" else sum(picture["height"] for picture in pictures)
    return [f"  picture  {first['width']} x {height}, {form}"]


def _sound_lines(sounds: list[dict[str, Any]], seconds: float) -> list[str]:
    """Layout and length of all frames together, and bits per sample as they go."""
    if not sounds:
        return []
    from foretell.codecs.audio.describe import clock

    first = sounds[0]
    bits = sum(sound["bits_per_sample"] * sound["seconds"] for sound in sounds) / max(seconds, 1e-9)
    line = f"  sound    {clock(seconds)}, {first['format']}, {first['channels']} channels, {first['rate']} Hz, "
    lines = [line + f"{bits:.2f} bits per sample"]
    most = max(sound["bits_per_sample"] for sound in sounds)
    if len(sounds) > 1 and most > 0:
        steps = "".join(_BARS[round(sound["bits_per_sample"] / most * (len(_BARS) - 1))] for sound in sounds)
        lines.append(f"  by time  {steps} (full height: {most:.2f} bits per sample)")
    return lines


def _model_line(model: dict[str, Any]) -> str:
    if not model["name"]:
        return f"{model['sha256'][:16]}, not known here; see foretell models list"
    state = "installed" if model["installed"] else f"fetch it with foretell models pull {model['name']}"
    return f"{model['name']} ({model['sha256'][:16]}), {state}"


def _codec_lines(archive: dict[str, Any]) -> list[str]:
    return [
        f"  {name:8} {sizes['raw_bytes']} bytes ({sizes['raw_bytes'] / archive['raw_bytes']:.1%}) "
        f"in {sizes['coded_bytes']}"
        for name, sizes in archive["codecs"].items()
    ]


def _frame_lines(frames: list[dict[str, Any]], most: int | None) -> list[str]:
    shown = frames[:most]
    if not shown:
        return []
    lines = [f"  {'frame':>7} {'codec':8} {'start':>14} {'raw bytes':>10} {'coded bytes':>11} {'offset':>14}"]
    for frame in shown:
        lines.append(
            f"  {frame['frame']:7} {frame['codec']:8} {frame['start']:14} {frame['raw_bytes']:10} "
            f"{frame['coded_bytes']:11} {frame['offset']:14}"
        )
    if len(shown) < len(frames):
        lines.append(f"  {len(frames) - len(shown)} more frames; -v shows all")
    return lines
