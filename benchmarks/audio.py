"""Sizes and speeds of the audio codec, file by file, beside FLAC, WavPack, ALAC and TTA in the same run.

Reads $FORETELL_DATA/audio (default ../shared/data) and writes benchmarks/results/audio.json. Rows that are there
already are kept, so that a run can be cut short and taken up again; delete the file to measure everything anew.
Rivals are taken where they are installed (flac, wavpack, ffmpeg). Sizes are those of whole files, ours of whole
archives. The network was not trained on any of these files.

``python benchmarks/audio.py [full | paper | speed]``: ``paper`` is the setting of LMCompress, speech at 8 kHz, 8 bits;
all codecs get the same converted samples, which are not those of the original files (ALAC has no 8 bits and takes 16).
``speed`` packs and unpacks 47.5 seconds of stereo at 44.1 kHz (two frames; FORETELL_SPEED_SECONDS changes that) with
two threads, each time in a process of its own, and tells seconds on the clock, seconds of the processor (all threads,
the start of the program included) and the peak of memory.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

from file_intervals import describe_ratios

import foretell

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FORETELL_DATA", ROOT.parent / "shared" / "data")) / "audio"
RESULTS = ROOT / "benchmarks" / "results"
LEVELS = {"full": (6, 2, 9), "paper": (6, 9)}
SPEED_SECONDS = float(os.environ.get("FORETELL_SPEED_SECONDS", "47.5"))
FLAC = ["flac", "--silent", "--force", "-8", "-e", "-p", "--no-padding", "--no-seektable"]
FFMPEG = ["ffmpeg", "-loglevel", "error", "-y"]
# what to call, from a WAV file to a file of the given name
RIVALS = {
    "flac -8ep": lambda source, target: [*FLAC, "-o", target + ".flac", source],
    "flac -8ep -l 32": lambda source, target: [*FLAC, "--lax", "-l", "32", "-o", target + ".flac", source],
    "wavpack -hhx6": lambda source, target: ["wavpack", "-q", "-y", "-hhx6", source, "-o", target + ".wv"],
    "alac (ffmpeg)": lambda source, target: [*FFMPEG, "-i", source, "-c:a", "alac", target + ".m4a"],
    "tta (ffmpeg)": lambda source, target: [*FFMPEG, "-i", source, "-c:a", "tta", target + ".tta"],
}


def measure_rival(name: str, data: bytes) -> dict[str, object] | None:
    with tempfile.TemporaryDirectory() as folder:
        source, target = os.path.join(folder, "x.wav"), os.path.join(folder, "y")
        Path(source).write_bytes(data)
        command = RIVALS[name](source, target)
        if shutil.which(command[0]) is None:
            return None
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            return None
        (made,) = (path for path in Path(folder).iterdir() if path.name.startswith("y"))
        return {"bytes": made.stat().st_size}


def measure_level(level: int, data: bytes) -> dict[str, object]:
    archive = foretell.compress(data, level=level)
    if foretell.decompress(archive) != data:
        raise SystemExit("audio: a file does not come back")
    return {"bytes": len(archive)}


def long_sound() -> bytes:
    """Music of several files, joined, as one WAV file of two frames."""
    samples = b""
    for path in sorted((DATA / "music").glob("*.wav")):
        with wave.open(str(path)) as sound:
            if (sound.getnchannels(), sound.getframerate()) == (2, 44100):
                samples += sound.readframes(sound.getnframes())
    samples = (samples * 3)[: round(SPEED_SECONDS * 44100) * 4]
    out = io.BytesIO()
    with wave.open(out, "wb") as target:
        target.setnchannels(2)
        target.setsampwidth(2)
        target.setframerate(44100)
        target.writeframes(samples)
    return out.getvalue()


def measure_speed() -> dict[str, object]:
    seconds = SPEED_SECONDS
    rows: dict[str, object] = {"seconds": seconds, "threads": 2}
    with tempfile.TemporaryDirectory() as folder:
        source, packed, again = (os.path.join(folder, name) for name in ("a.wav", "a.fore", "b.wav"))
        Path(source).write_bytes(long_sound())
        for level in sorted(LEVELS["full"]):
            row = {}
            for way, arguments in (
                ("pack", [f"-{level}", "-o", packed, source]),
                ("unpack", ["-o", again, packed]),
            ):
                begin = time.perf_counter()
                command = [sys.executable, "-m", "foretell", way, "-q", "-f", "-T2", *arguments]
                process = subprocess.Popen(command)
                _, status, usage = os.wait4(process.pid, 0)
                if status:
                    raise SystemExit("audio: a command failed")
                elapsed = time.perf_counter() - begin
                row[f"{way}_s"] = round(elapsed, 2)
                row[f"{way}_times_real_time"] = round(seconds / elapsed, 2)
                busy = usage.ru_utime + usage.ru_stime
                row[f"{way}_processor_s"] = round(busy, 2)
                row[f"{way}_times_real_time_on_one_core"] = round(seconds / busy, 2)
                row[f"{way}_megabytes"] = round(usage.ru_maxrss / 1024)
            if Path(again).read_bytes() != Path(source).read_bytes():
                raise SystemExit("audio: a file does not come back")
            rows[f"foretell -{level}"] = row
            print(f"level {level}: {row}", flush=True)
    return rows


def converted(data: bytes) -> bytes | None:
    """The same sound at 8 kHz, 8 bits, one channel, without dither."""
    command = ["sox", "-D", "-t", "wav", "-", "-t", "wav", "-r", "8000", "-c", "1", "-b", "8", "-"]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    if done.returncode != 0:
        return None
    with wave.open(io.BytesIO(done.stdout)) as sound:
        samples = sound.readframes(sound.getnframes())
    out = io.BytesIO()
    with wave.open(out, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(1)
        target.setframerate(8000)
        target.writeframes(samples)
    return out.getvalue()


def sources(setting: str) -> list[tuple[str, bytes]]:
    folders = ("music", "speech", "noise") if setting == "full" else ("speech",)
    found = []
    for path in (file for folder in folders for file in sorted((DATA / folder).glob("*.wav"))):
        data = path.read_bytes()
        kept = data if setting == "full" else converted(data)
        if kept is not None and (setting == "full" or path.name.startswith("LJ")):
            found.append((f"{path.parent.name}/{path.name}", kept))
    return found


def run(setting: str) -> dict[str, dict[str, object]]:
    target = RESULTS / ("audio.json" if setting == "full" else f"audio-{setting}.json")
    table = json.loads(target.read_text()) if target.is_file() else {}
    files = sources(setting)
    for level in LEVELS[setting]:
        for name, data in files:
            with wave.open(io.BytesIO(data)) as sound:
                seconds = sound.getnframes() / sound.getframerate()
            row = table.setdefault(name, {"bytes": len(data), "seconds": round(seconds, 3)})
            for rival in RIVALS:
                if rival not in row:
                    row[rival] = measure_rival(rival, data)
            if f"foretell -{level}" not in row:
                row[f"foretell -{level}"] = measure_level(level, data)
            target.write_text(json.dumps(table, indent=1) + "\n")
            print(line(name, row), flush=True)
    return table


def line(name: str, row: dict[str, object]) -> str:
    base = row["flac -8ep"]["bytes"]
    cells = []
    for codec, value in row.items():
        if isinstance(value, dict):
            cells.append(f"{codec} {value['bytes']} ({value['bytes'] / base - 1:+.1%})")
    return f"{name:28} " + "  ".join(cells)


def summarise(table: dict[str, dict[str, object]], setting: str) -> None:
    for folder in ("music", "speech", "speech/LJ", "speech/fsdd", "noise"):
        rows = [row for name, row in table.items() if name.startswith(folder)]
        if not rows:
            continue
        print(f"{folder}: {len(rows)} files, means of the changes against flac -8ep, and of all bytes together")
        for codec in [*RIVALS, *(f"foretell -{level}" for level in LEVELS[setting])]:
            pairs = [(row[codec]["bytes"], row["flac -8ep"]["bytes"]) for row in rows if row.get(codec)]
            if not pairs:
                continue
            mean = sum(a / b - 1 for a, b in pairs) / len(pairs)
            total = sum(a for a, _ in pairs) / sum(b for _, b in pairs) - 1
            print(f"  {codec:18} {mean:+7.2%} {total:+7.2%}")
    beaten = [
        name
        for name, row in table.items()
        if any(row[rival] and row[rival]["bytes"] <= row["foretell -6"]["bytes"] for rival in RIVALS)
    ]
    print(f"{len(table) - len(beaten)} of {len(table)} files are smallest at level 6", *beaten)
    level = LEVELS[setting][-2]
    ratios = {
        name: row[f"foretell -{level}"]["bytes"] / row["flac -8ep"]["bytes"]
        for name, row in table.items() if row.get("flac -8ep") and f"foretell -{level}" in row
    }  # fmt: skip
    print(f"foretell -{level} against flac -8ep: {describe_ratios(ratios, {name: source(name) for name in ratios})}")


def source(name: str) -> str:
    """Who speaks or plays in a file: files of one reader or speaker are alike."""
    stem = Path(name).stem
    return "LJ" if stem.startswith("LJ") else stem.rsplit("_", 1)[-1] if stem.startswith("fsdd") else stem


def main() -> int:
    settings = [name for name in sys.argv[1:] if name in (*LEVELS, "speed")] or ["full"]
    if not DATA.is_dir():
        print(f"audio: no data in {DATA}; set FORETELL_DATA to a folder with audio/")
        return 1
    for level in (2, 6, 9):
        measure_level(level, warm_up_sound())
    for setting in settings:
        if setting == "speed":
            rows = measure_speed()
            (RESULTS / "audio-speed.json").write_text(json.dumps(rows, indent=1) + "\n")
        else:
            summarise(run(setting), setting)
    return 0


def warm_up_sound() -> bytes:
    """A file that only warms up."""
    out = io.BytesIO()
    with wave.open(out, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(8000)
        target.writeframes(bytes(range(200)) * 4)
    return out.getvalue()


if __name__ == "__main__":
    raise SystemExit(main())
