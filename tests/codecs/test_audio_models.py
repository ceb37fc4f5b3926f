"""The predictors of the audio codec against plain oracles, and the network that ships."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.codecs.audio.codec import AudioCodec, trace_samples
from foretell.codecs.audio.dot import LANES, LONG_LANES, _plain, dot32, dot64
from foretell.codecs.audio.features import logarithm
from foretell.codecs.audio.least_squares import accumulate, accumulate_four, solve
from foretell.codecs.audio.network import (
    BLOCK,
    EXP,
    FEATURES,
    LARGEST,
    OUTPUTS,
    Network,
    add_product,
    evaluate,
    exponential,
    load_network,
    new_memory,
)
from foretell.codecs.audio.pcm import PcmFormat
from foretell.codecs.audio.presets import PAIRED, PITCH, SINGLE, plan_of
from foretell.codecs.audio.stages import LONGEST_LAG, PITCH_INPUTS, _search_lag, new_stages
from foretell.compilation import compiled

sys.path.insert(0, str(Path(__file__).parent))
from sounds import tones


@compiled
def _dots(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> tuple[float, float]:
    return dot32(a, b, a.size), dot64(c, d, c.size)


@compiled
def _products(inputs: np.ndarray, weights: np.ndarray, out: np.ndarray) -> None:
    add_product(inputs, weights, out)


@compiled
def _logarithms(values: np.ndarray, out: np.ndarray) -> None:
    for i in range(values.size):
        out[i] = logarithm(values[i])


@compiled
def _exponentials(values: np.ndarray, out: np.ndarray) -> None:
    for i in range(values.size):
        out[i] = exponential(values[i])


# sums


@pytest.mark.parametrize("blocks", [1, 2, 7])
def test_dots_sum_in_the_order_of_the_format(blocks: int) -> None:
    random = np.random.default_rng(blocks)
    a, b = (random.normal(size=LANES * blocks).astype(np.float32) * 1e4 for _ in range(2))
    c, d = (random.normal(size=LONG_LANES * blocks) * 1e8 for _ in range(2))
    short, long = _dots(a, b, c, d)
    assert short == _plain(a, b, a.size, LANES)
    assert long == _plain(c, d, c.size, LONG_LANES)
    assert np.float32(short) == pytest.approx(float(a.astype(float) @ b), rel=1e-3, abs=1e5)


def test_four_rows_at_once_are_four_rows() -> None:
    random = np.random.default_rng(3)
    inputs, targets, trusts = random.normal(size=(4, 24)), random.normal(size=4), random.uniform(0.1, 1, 4)
    at_once, one_by_one = np.zeros((2, 24, 24)), np.zeros((2, 24))
    for _ in range(3):
        accumulate_four(at_once[0], one_by_one[0], inputs, 24, targets, 0.99, trusts)
        for row in range(4):
            accumulate(at_once[1], one_by_one[1], inputs[row], 24, targets[row], 0.99, trusts[row])
    assert np.allclose(at_once[0], at_once[1], rtol=1e-12)
    assert np.allclose(one_by_one[0], one_by_one[1], rtol=1e-12)
    assert not np.tril(at_once[0], -1).any()


@pytest.mark.parametrize("n", [1, 3, 8, 31, 96])
def test_solutions_are_those_of_linear_algebra(n: int) -> None:
    random = np.random.default_rng(n)
    rows, weights, work = random.normal(size=(3 * n, n)), np.zeros(n), np.zeros((n + 1, n))
    matrix, vector = rows.T @ rows, random.normal(size=n)
    solve(np.triu(matrix), vector, n, 0.25, work, weights)
    assert np.allclose(weights, np.linalg.solve(matrix + 0.25 * np.eye(n), vector))


def test_what_has_no_solution_changes_nothing() -> None:
    weights = np.arange(3.0)
    solve(np.zeros((3, 3)), np.ones(3), 3, 0.0, np.zeros((4, 3)), weights)
    assert (weights == np.arange(3.0)).all()


# the pitch of a voice


@pytest.mark.parametrize("period", [16, 57, 200, LONGEST_LAG])
def test_the_lag_of_periodic_errors_is_found(period: int) -> None:
    plan = plan_of(SINGLE[2])
    state = new_stages(plan, 1)
    shape = np.random.default_rng(period).normal(size=period)
    past = np.resize(shape, 640).astype(np.float32)
    _search_lag(state, 0, 0, past, 10_000)
    assert state.lag[0, 0] % period == 0
    assert state.lag[0, 0] > 0


def test_no_lag_reaches_further_back_than_the_sound() -> None:
    state = new_stages(plan_of(SINGLE[2]), 1)
    past = np.resize(np.random.default_rng(1).normal(size=300), 640).astype(np.float32)
    _search_lag(state, 0, 0, past, 400)
    assert state.lag[0, 0] <= 400 - 256


def test_voiced_sound_is_shorter_for_its_pitch() -> None:
    random = np.random.default_rng(5)
    pulses = np.convolve(np.where(np.arange(9000) % 233 == 0, 1.0, 0.0), random.normal(size=60) * 4000)[:9000]
    sound = np.rint(pulses + random.normal(size=9000) * 3).astype("<i2").tobytes()
    form = PcmFormat(1, 2, 16000)
    voiced = AudioCodec(6).encode_samples(sound, form)
    plain = AudioCodec(1).encode_samples(sound, form)
    assert voiced is not None
    assert plain is not None
    assert len(voiced) < 0.9 * len(plain)


# the network


def random_network(layers: int = 3, width: int = BLOCK) -> Network:
    random = np.random.default_rng(8)

    def integers(*shape: int) -> np.ndarray:
        return random.integers(-60, 61, shape).astype(np.float32)

    return Network(
        integers(FEATURES, width),
        integers(width) * 8,
        integers(layers, 2 * width, width),
        integers(layers, width) * 8,
        integers(width, width),
        integers(width) * 8,
        integers(width, OUTPUTS),
        integers(OUTPUTS) * 8,
    )


def reference_outputs(network: Network, features: np.ndarray) -> np.ndarray:
    """All samples at once, in integers."""
    whole = Network(*(np.rint(weights).astype(np.int64) for weights in network))

    def active(sums: np.ndarray) -> np.ndarray:
        return np.clip(sums + 32 >> 6, 0, None)

    most = int(LARGEST)
    stream = np.minimum(active(features.astype(np.int64) @ whole.first + whole.first_bias), most)
    for layer, weights in enumerate(whole.layers):
        past = np.zeros_like(stream)
        past[1 << layer :] = stream[: -(1 << layer)]
        stream = np.minimum(stream + active(np.hstack([past, stream]) @ weights + whole.layers_bias[layer]), most)
    hidden = np.minimum(active(stream @ whole.hidden + whole.hidden_bias), most)
    return (hidden @ whole.last + whole.last_bias)[:, :9]


def test_one_sample_at_a_time_gives_what_all_at_once_give() -> None:
    network = random_network()
    features = np.random.default_rng(2).integers(-127, 128, (50, FEATURES)).astype(np.float32)
    memory = new_memory(network, 2)
    found = np.zeros((50, 9), np.int64)
    for t in range(50):
        memory.features[:] = 0
        evaluate(network, memory, t, 0)
        memory.features[:] = features[t]
        evaluate(network, memory, t, 1)
        found[t] = memory.outputs[:9]
    assert (found == reference_outputs(network, features)).all()


def test_sums_of_the_shipped_network_are_exact_in_binary32() -> None:
    network = load_network()
    limits = (127, 1023, 1023, 1023)
    for name, most in zip(("first", "layers", "hidden", "last"), limits, strict=True):
        weights, bias = getattr(network, name), getattr(network, f"{name}_bias")
        assert (weights == np.rint(weights)).all()
        assert (np.abs(weights).sum(axis=-2) * most + np.abs(bias)).max() < 1 << 24


def test_products_skip_no_column() -> None:
    random = np.random.default_rng(4)
    inputs, weights = random.integers(-9, 10, 6).astype(np.float32), random.integers(-9, 10, (6, 32)).astype(np.float32)
    out = np.ones(32, np.float32)
    _products(inputs, weights, out)
    assert (out == inputs @ weights + 1).all()


@given(st.floats(1e-9, 1e12))
@settings(deadline=None)
def test_logarithms_are_near(value: float) -> None:
    out = np.zeros(1)
    _logarithms(np.array([value]), out)
    assert abs(out[0] / 128 - np.log2(value)) < 0.1


def test_exponentials_are_those_of_the_table_and_stay_in_it() -> None:
    values = np.array([-(1 << 40), -8192, -2048, 0, 32, 2048, 8192, 1 << 40])
    out = np.zeros(values.size)
    _exponentials(values, out)
    assert np.allclose(out, np.exp(np.clip(values / 2048, -4, 4)))
    assert EXP.size == 513


def test_a_trace_has_what_the_network_was_told() -> None:
    sound = tones(500, 2)
    trace = trace_samples(sound.astype(np.int32))
    assert trace.shape == (500, 2, FEATURES + 2)
    assert np.abs(trace[:, :, :FEATURES]).max() <= 127
    assert (trace[:, 0, FEATURES - 1] == 0).all()
    assert (trace[:, 1, FEATURES - 1] == 64).all()
    assert np.abs(trace[100:, :, FEATURES]).mean() < 20


# presets


def test_presets_hold_what_compiled_code_takes_for_granted() -> None:
    assert sorted(SINGLE) == sorted(PAIRED) == [1, 2, 3]
    for preset in (*SINGLE.values(), *PAIRED.values()):
        assert len(preset.network) in (0, 11)
        assert len(preset.scale_rates) == (5 if preset.network else 3)
        for lms in preset.filters:
            assert (lms.own + lms.partner) % LONG_LANES == 0
            assert lms.own <= 128
            assert lms.every in (1, 2) or lms.every % 4 == 0
        for number, stage in enumerate(preset.stages):
            assert stage.source < len(preset.filters) + number
            assert stage.taps % (LANES if stage.kind == 0 else LONG_LANES) == 0
            assert stage.kind != PITCH or stage.taps >= LONGEST_LAG + 256 + PITCH_INPUTS


def test_an_installation_without_the_network_says_so() -> None:
    program = (
        "import foretell.shipped as shipped\n"
        "shipped.find_weights = lambda name: None\n"
        "from foretell.codecs.audio.network import load_network\n"
        "from foretell.errors import ForetellError\n"
        "try:\n    load_network()\nexcept ForetellError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "lacks the network" in done.stdout
