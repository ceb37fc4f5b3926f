"""Archives that were made once decode for ever, and on every kind of machine that can be had here."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import foretell
from foretell.codecs import toolbox
from foretell.exact.threads import set_thread_count

FOLDER = Path(__file__).parent
SHA256 = "1147790b1961b5d04ecf80682d8e0bc668cb98b85e9a21deb7428ddb9a2dabe2"


@pytest.fixture(autouse=True)
def _golden_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORETELL_CACHE", str(FOLDER / "model"))
    toolbox.forget_text_codecs()


@pytest.mark.parametrize("name", ["text", "octets", "stored"])
@pytest.mark.parametrize("threads", [1, 2])
def test_golden_archives_decode(name: str, threads: int) -> None:
    set_thread_count(threads)
    try:
        raw = foretell.decompress((FOLDER / f"{name}.fore").read_bytes())
    finally:
        set_thread_count(0)
    assert hashlib.sha256(raw).hexdigest() == SHA256


def test_the_text_archive_is_text_in_several_sections() -> None:
    from foretell.codecs.lanes import plan_for, sections_of, shape_of
    from foretell.models import registry

    raw = foretell.decompress((FOLDER / "stored.fore").read_bytes())
    model = registry.load("tiny")
    plan = plan_for(2).within(model.config.context)
    tokens = model.vocabulary.encode(raw).size
    sections = list(sections_of(tokens, shape_of(tokens, plan)))
    assert [len(section) > 1 for section in sections] == [False, True]


def test_packing_again_gives_the_same_bytes() -> None:
    raw = foretell.decompress((FOLDER / "stored.fore").read_bytes())
    assert foretell.compress(raw, model="tiny", codec="text", level=2) == (FOLDER / "text.fore").read_bytes()


# What another machine would have: other vector extensions, other kernels, another decoder.
MACHINES = {
    "generic processor": ({"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}, "compiled"),
    "pairs of integers": ({"FORETELL_KERNEL": "pairs"}, "compiled"),
    "one kernel, oracle": ({}, "reference"),
    "sse4.1, int8": ({"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"}, "torch-int8"),
    "avx2, int8": ({"ONEDNN_MAX_CPU_ISA": "AVX2"}, "torch-int8"),
    "default, int8": ({"ONEDNN_MAX_CPU_ISA": "DEFAULT"}, "torch-int8"),
    "sse4.1, fp32": ({"ONEDNN_MAX_CPU_ISA": "SSE41"}, "torch-fp32"),
    "default, fp32": ({"ATEN_CPU_CAPABILITY": "default"}, "torch-fp32"),
    "blas": ({"OPENBLAS_CORETYPE": "Prescott"}, "blas"),
}
PROGRAM = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from models.portable import codec_for, head_of
from foretell.exact.kernels import float_product
from foretell.exact.reference import ReferenceDecoder
from foretell.models import registry

model, kind = registry.load("tiny"), sys.argv[2]
if kind == "compiled":
    decoder = model
elif kind.startswith("torch"):
    import torch
    from foretell.exact.torch_decoder import TorchDecoder
    torch.set_num_threads(1)
    decoder = TorchDecoder(model, "cpu", kind[6:])
else:
    decoder = ReferenceDecoder(model, float_product) if kind == "blas" else ReferenceDecoder(model)
payload, size = Path(sys.argv[3]).read_bytes(), int(sys.argv[4])
codec = codec_for(decoder)
if kind == "compiled":
    frame = codec.decode_frames([(payload, size)])[0]
else:
    with head_of(decoder):
        frame = codec.decode_frames([(payload, size)])[0]
print(hashlib.sha256(frame).hexdigest())
"""


QUICK = ("avx2, int8",)
SLOWER = [pytest.param(name, marks=pytest.mark.slow) for name in MACHINES if name not in QUICK]


@pytest.mark.parametrize("name", [*QUICK, *SLOWER])
def test_other_machines_decode_one_payload(name: str, tmp_path: Path) -> None:
    from models.portable import codec_for

    from foretell.models import registry

    environment, kind = MACHINES[name]
    if kind.startswith("torch"):
        pytest.importorskip("torch")
    frame = foretell.decompress((FOLDER / "stored.fore").read_bytes())[1700:2500]
    payload = tmp_path / "payload"
    payload.write_bytes(codec_for(registry.load("tiny")).encode_frames([frame])[0])
    command = [sys.executable, "-c", PROGRAM, str(FOLDER.parent), kind, str(payload), str(len(frame))]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == hashlib.sha256(frame).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["compiled", "torch-int8", "torch-fp32"])
def test_another_environment_decodes_one_payload(kind: str, tmp_path: Path) -> None:
    """FORETELL_OTHER_PYTHON names the interpreter of an environment with another release of torch."""
    from models.portable import codec_for

    from foretell.models import registry

    other = os.environ.get("FORETELL_OTHER_PYTHON")
    if not other:
        pytest.skip("FORETELL_OTHER_PYTHON names no other environment")
    frame = foretell.decompress((FOLDER / "stored.fore").read_bytes())[1700:2500]
    payload = tmp_path / "payload"
    payload.write_bytes(codec_for(registry.load("tiny")).encode_frames([frame])[0])
    source = os.pathsep.join([str(Path(foretell.__file__).parent.parent), str(FOLDER.parent)])
    command = [other, "-c", PROGRAM, str(FOLDER.parent), kind, str(payload), str(len(frame))]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": source}, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == hashlib.sha256(frame).hexdigest()


@pytest.mark.slow
def test_the_doctor_is_content_with_a_generic_processor() -> None:
    environment = os.environ | {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    command = [sys.executable, "-m", "foretell", "doctor"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "generic" in done.stdout
