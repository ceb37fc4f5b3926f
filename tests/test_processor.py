"""Which kernel of the product serves, whatever the processor has or refuses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from foretell import processor
from foretell.errors import ForetellError

VNNI = frozenset({"avx512vnni", "avx512vl"})
TILES = VNNI | {"amx-tile", "amx-int8"}
CACHED = (processor.usable_kernels, processor.kernel)


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("FORETELL_KERNEL", raising=False)
    for function in CACHED:
        function.cache_clear()
    yield
    for function in CACHED:
        function.cache_clear()


def on(monkeypatch: pytest.MonkeyPatch, features: frozenset[str], granted: bool = True) -> None:
    monkeypatch.setattr(processor, "cpu_features", lambda: features)
    monkeypatch.setattr(processor, "_may_use_tiles", lambda: granted)


@pytest.mark.parametrize(
    ("features", "granted", "expected"),
    [
        (frozenset(), True, ("pairs",)),
        (frozenset({"avx2", "avx512vnni"}), True, ("pairs",)),
        (frozenset({"avxvnni"}), True, ("vnni", "pairs")),
        (VNNI, True, ("vnni", "pairs")),
        (TILES, True, ("amx", "vnni", "pairs")),
        (TILES, False, ("vnni", "pairs")),
        (TILES - VNNI, True, ("pairs",)),
    ],
)
def test_the_fastest_kernel_that_runs_serves(
    monkeypatch: pytest.MonkeyPatch, features: frozenset[str], granted: bool, expected: tuple[str, ...]
) -> None:
    on(monkeypatch, features, granted)
    assert processor.usable_kernels() == expected
    assert processor.kernel() == expected[0]


def test_another_kernel_may_be_named_if_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, VNNI)
    monkeypatch.setenv("FORETELL_KERNEL", "pairs")
    assert processor.kernel() == "pairs"
    processor.kernel.cache_clear()
    monkeypatch.setenv("FORETELL_KERNEL", "amx")
    with pytest.raises(ForetellError, match="does not run here; choose from vnni, pairs"):
        processor.kernel()


def test_tiles_are_asked_for_on_linux_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor.sys, "platform", "darwin")
    assert not processor._may_use_tiles()


def test_a_refused_request_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor.sys, "platform", "linux")
    monkeypatch.setattr(processor.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(processor.ctypes, "CDLL", lambda name: type("C", (), {"syscall": lambda *args: -1})())
    assert not processor._may_use_tiles()
