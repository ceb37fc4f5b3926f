import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from foretell.dependence import Bennett, Bernstein, Chernoff, SubGaussian, sample_size
from foretell.dependence.errors import DependenceError
from foretell.dependence.inequalities import empirical_bernstein_deviation, kl, kl_lower, kl_upper

deltas = st.floats(1e-6, 0.9)
ALL = [SubGaussian(0.01), Bernstein(100, 0.1, 1), Bennett(100, 0.1, 1)]


@given(st.sampled_from(ALL), deltas)
def test_deviation_inverts_tail(bound, delta):
    assert bound.tail(bound.deviation(delta)) == pytest.approx(delta, rel=1e-6)
    assert bound.tail(0.0) == 1


@given(st.floats(1, 1e4), st.floats(1e-3, 1), st.floats(0.1, 3), deltas)
def test_bennett_is_never_worse_than_bernstein(size, variance, top, delta):
    one, other = (kind(size, variance, top).deviation(delta) for kind in (Bennett, Bernstein))
    assert 0 < one <= other * (1 + 1e-6)


@pytest.mark.parametrize("size", [5, 40])
@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
def test_bounds_hold_for_coins(size, rate):
    counts = np.arange(size + 1)
    for bound in (SubGaussian(1 / size), Bernstein(size, rate * (1 - rate), 1), Bennett(size, rate * (1 - rate), 1)):
        for count in counts[counts > rate * size]:
            assert binom.sf(count - 1, size, rate) <= bound.tail(count / size - rate) + 1e-12


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.8])
@pytest.mark.parametrize("size", [10, 60])
def test_chernoff_intervals_cover_coins(size, rate):
    bound = Chernoff((1 / size,), (1.0,))
    counts = np.arange(size + 1)
    held = [bound.lower(count / size, 0.05) <= rate <= bound.upper(count / size, 0.05) for count in counts]
    assert binom.pmf(counts, size, rate)[held].sum() >= 0.9


def test_one_step_is_the_kl_bound():
    bound = Chernoff((1 / 50,), (1.0,))
    assert bound.lower(0.8, 0.05) == pytest.approx(kl_lower(0.8, np.log(20) / 50))
    assert kl(0.8, bound.upper(0.8, 0.05)) == pytest.approx(np.log(20) / 50)
    assert bound.effective_sample_size == 50


@given(st.floats(0, 1), deltas, st.integers(0, 10**6))
@settings(deadline=None, max_examples=40)
def test_several_steps_lie_between_the_extremes_and_beat_hoeffding(mean, delta, seed):
    rng = np.random.default_rng(seed)
    a, v = rng.uniform(0, 1, 6) + 1e-3, rng.uniform(0.05, 1, 6)
    bound = Chernoff.from_weights(a, v)
    low, high = bound.lower(mean, delta), bound.upper(mean, delta)
    assert 0 <= low <= mean + 1e-9
    assert mean - 1e-9 <= high <= 1
    worst = Chernoff((max(bound.steps),), (1.0,))
    assert low >= worst.lower(mean, delta) - 1e-6
    assert low >= mean - SubGaussian(1 / bound.effective_sample_size).deviation(delta) - 1e-3


def test_search_finds_the_kl_bound_for_nearly_equal_steps():
    near = Chernoff((0.02, 0.0200001), (0.5, 0.5))
    for mean in (0.1, 0.5, 0.95, 1.0):
        assert near.lower(mean, 0.05) == pytest.approx(Chernoff((0.02,), (1.0,)).lower(mean, 0.05), abs=1e-4)


def test_unequal_groups_are_covered_exactly():
    """Groups of 4, 1, 1, 1 equal coins: enumerate all outcomes; the bound may not miss more often than promised."""
    sizes, rate = np.array([4, 1, 1, 1]), 0.7
    bound = Chernoff.from_weights(np.ones(7), 1 / np.repeat(sizes, sizes).astype(float))
    missed = 0.0
    for flips in np.ndindex(2, 2, 2, 2):
        mean = float(np.dot(flips, sizes) / 7)
        chance = np.prod(np.where(flips, rate, 1 - rate))
        missed += chance * (not bound.lower(mean, 0.1) <= rate <= bound.upper(mean, 0.1))
    assert missed <= 0.2


def test_many_steps_are_rounded_to_the_safe_side():
    rng = np.random.default_rng(0)
    a, v = np.ones(3000), rng.uniform(0.01, 1, 3000)
    few, many = Chernoff.from_weights(a, v, levels=16), Chernoff.from_weights(a, v, levels=3000)
    assert len(few.steps) <= 16
    assert many.lower(0.6, 0.05) - 0.02 <= few.lower(0.6, 0.05) <= many.lower(0.6, 0.05) + 1e-6


@given(st.floats(0.001, 1), st.floats(0.001, 1))
def test_kl_bounds_invert_kl(mean, level):
    low, high = kl_lower(mean, level), kl_upper(mean, level)
    assert low <= mean <= high + 1e-12
    if mean < 1:
        assert low < 1e-12 or kl(mean, low) <= level + 1e-6
        assert kl(mean, high) <= level + 1e-6 or high > 1 - 1e-9


def test_sample_size_gives_the_width():
    size = sample_size(0.02, 0.95, share=0.1)
    assert SubGaussian(1 / (0.1 * size)).deviation(0.025) <= 0.02
    assert SubGaussian(1 / (0.1 * (size - 10))).deviation(0.025) > 0.02


def test_empirical_bernstein_covers():
    rng = np.random.default_rng(0)
    means = []
    for _ in range(500):
        values = rng.random(100) < 0.1
        means.append(values.mean() - empirical_bernstein_deviation(values.var(ddof=1), 100, 0.05) <= 0.1)
    assert np.mean(means) >= 0.95


@pytest.mark.parametrize(
    "call",
    [
        lambda: SubGaussian(0.0),
        lambda: SubGaussian(np.nan),
        lambda: Bennett(10, -1, 1),
        lambda: Bernstein(0, 1, 1),
        lambda: SubGaussian(1.0).deviation(0.0),
        lambda: SubGaussian(1.0).deviation(1.5),
        lambda: sample_size(0.0, 0.95),
        lambda: sample_size(0.1, 1.0),
    ],
)
def test_bad_input(call):
    with pytest.raises(DependenceError):
        call()
