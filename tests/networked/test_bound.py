"""The program for the weights: against general solvers, closed forms, and its own certificates."""

import math

import numpy as np
import pytest
from networked import graphs, oracles

from foretell.networked import PairGraph, PairsError, Program, networked_weights, norms, weigh
from foretell.networked.dual import DualAscent, Subproblem
from foretell.networked.pdhg import PrimalDual

FOUR = (3.0, 3.0, 5.0, 9.0)
CONSTANTS = [
    FOUR,
    (3.0, 3.0, 0.0, 0.0),
    (3.0, 3.0, 5.0, 0.0),
    (3.0, 3.0, 0.0, 9.0),
    (0.2, 1.0, 5.0, 3.0),
    (9.0, 1.0, 0.5, 0.1),
]


@pytest.mark.parametrize("seed", range(60))
def test_norms_are_as_defined(seed):
    pairs = graphs.random_pairs(seed, arity=2 + seed % 2)
    weights = np.random.default_rng(seed).random(pairs.n_pairs)
    program = Program(*FOUR, beta=0.5)
    assert math.isclose(program.value(pairs, weights), oracles.by_definition(pairs, program, weights))


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.parametrize("constants", CONSTANTS)
def test_both_solvers_enclose_the_same_value(seed, constants):
    pairs = graphs.random_pairs(seed, arity=2 + seed % 2)
    problem = Subproblem(*constants)
    dual = DualAscent(pairs).solve(problem, gap=1e-3)
    primal_dual = PrimalDual(pairs).solve(problem, gap=1e-3)
    for found in (dual, primal_dual):
        assert found.gap <= 1e-3
        assert found.lower <= found.upper * (1 + 1e-12)
        assert math.isclose(found.weights.sum(), 1)
        assert found.weights.min() >= 0
        assert math.isclose(found.upper, Program(*constants).value(pairs, found.weights), rel_tol=1e-9)
    assert dual.lower <= primal_dual.upper * (1 + 1e-9)
    assert primal_dual.lower <= dual.upper * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_against_sequential_quadratic_programming(seed):
    pairs = graphs.random_pairs(seed, most=14)
    program = Program(*FOUR)
    certificate = weigh(pairs, "bound", program=program, epsilon=1e-4).certificate
    starts = [networked_weights(pairs, "equal"), networked_weights(pairs, "maxdeg")]
    least = oracles.least_objective(pairs, program, starts)
    assert certificate.lower_bound <= least * (1 + 1e-6)
    assert least >= certificate.objective * (1 - 2e-4)


@pytest.mark.parametrize("epsilon", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("search", ["adaptive", "grid"])
def test_certificates_hold(search, beta, epsilon):
    for seed in range(12):
        pairs = graphs.random_pairs(seed, arity=2 + seed % 2)
        program = Program(*CONSTANTS[seed % len(CONSTANTS)], beta=beta)
        sharp = weigh(pairs, "bound", program=program, epsilon=1e-3).certificate
        assert sharp.holds
        weighting = weigh(pairs, "bound", program=program, epsilon=epsilon, search=search)
        certificate = weighting.certificate
        assert certificate.holds
        assert certificate.gap <= epsilon * (1 + 1e-9)
        assert math.isclose(certificate.objective, program.value(pairs, weighting.weights), rel_tol=1e-9)
        # Within the factor of the best that is known, and no lower bound above it.
        assert certificate.objective <= (1 + epsilon) * sharp.objective * (1 + 1e-9)
        assert certificate.lower_bound <= sharp.objective * (1 + 1e-9)


@pytest.mark.parametrize("beta", [0.5, 0.9])
def test_no_random_weights_beat_the_lower_bound(beta):
    rng = np.random.default_rng(0)
    for seed in range(20):
        pairs = graphs.random_pairs(seed)
        program = Program(6.0, 1.0, 0.5, 0.2, beta=beta)
        certificate = weigh(pairs, "bound", program=program, epsilon=0.01).certificate
        tried = rng.dirichlet(np.full(pairs.n_pairs, 0.5), size=200)
        starts = [networked_weights(pairs, method) for method in ("equal", "maxdeg", "matching", "fractional")]
        assert min(program.value(pairs, w) for w in [*tried, *starts]) >= certificate.lower_bound * (1 - 1e-9)


@pytest.mark.parametrize(
    "pairs",
    [graphs.complete(7), graphs.cycle(6), graphs.star(5), graphs.disjoint(4), graphs.complete_bipartite(3, 3)],
    ids=["complete", "cycle", "star", "disjoint", "bipartite"],
)
@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_symmetric_graphs_want_equal_weights(pairs, beta):
    weighting = weigh(pairs, "bound", program=Program(*FOUR, beta=beta), epsilon=1e-6)
    assert np.allclose(weighting.weights, 1, atol=1e-3)
    assert weighting.certificate.objective == pytest.approx(
        Program(*FOUR, beta=beta).value(pairs, np.ones(pairs.n_pairs))
    )


def test_paths_of_three_pairs_in_closed_form():
    """Weights (x, 1 - 2x, x): the load is 1 - x, and x < 1/3 cannot be best as k1 also wants them equal."""
    program = Program(5.0, 1.0)
    x = np.linspace(0, 0.5, 200_001)
    least = (5 * (1 - x) + np.sqrt(2 * x**2 + (1 - 2 * x) ** 2)).min()
    assert weigh(graphs.path(4), "bound", program=program, epsilon=1e-6).certificate.objective == pytest.approx(
        least, rel=2e-6
    )


def test_hub_weighs_like_one_pair():
    """Star of 100 pairs and 100 pairs of their own: with the load alone the star as a whole weighs as one pair."""
    pairs = graphs.hub(100)
    weighting = weigh(pairs, "bound", program=Program(1.0, 1e-3), epsilon=1e-3)
    assert weighting.effective_sample_size == pytest.approx(101, rel=0.01)
    assert weigh(pairs, "equal").effective_sample_size == pytest.approx(2)


def test_constants_without_the_euclidean_term_go_to_pdhg():
    weighting = weigh(graphs.path(4), "bound", program=Program(1.0, 0.0), epsilon=1e-3)
    assert weighting.effective_sample_size == pytest.approx(2, rel=2e-3)
    with pytest.raises(PairsError, match="k1 above 0"):
        weigh(graphs.path(4), "bound", program=Program(1.0, 0.0), solver="dual")


def test_load_that_does_not_count():
    weighting = weigh(graphs.hub(10), "bound", program=Program(0.0, 1.0), epsilon=1e-6)
    assert np.allclose(weighting.weights, 1)


@pytest.mark.parametrize("error", [0.5, 0.9, 1.1, 2.0])
def test_bounds_hold_whatever_the_root_finder_does(error, monkeypatch):
    """Lower bounds come from a dual point that is made feasible, not from the accuracy of Newton's method."""
    from foretell.networked import dual_kernels

    exact = {seed: DualAscent(graphs.random_pairs(seed)).solve(Subproblem(*FOUR), gap=1e-5) for seed in range(12)}
    find = dual_kernels.find_root

    def wrong(*arguments):
        level, curvature, ceiling = find(*arguments)
        return level * (1.0 + (error - 1.0) / 4), curvature * error, ceiling * error

    monkeypatch.setattr(dual_kernels, "find_root", wrong)
    for seed, best in exact.items():
        found = DualAscent(graphs.random_pairs(seed)).solve(Subproblem(*FOUR), gap=1e-3, max_iterations=20)
        assert found.lower <= best.upper * (1 + 1e-12)
        assert found.upper >= best.lower * (1 - 1e-12)
        assert found.upper == pytest.approx(Program(*FOUR).value(graphs.random_pairs(seed), found.weights))


def test_progress_and_iteration_limit():
    seen = []
    pairs = graphs.preferential(300, 2)
    weighting = weigh(pairs, "bound", program=Program(9.0, 1.0), epsilon=1e-4, max_iterations=5, progress=seen.append)
    assert not weighting.certificate.holds
    assert weighting.certificate.gap > 1e-4
    assert weighting.certificate.iterations <= 5
    assert seen


@pytest.mark.parametrize("seed", range(200))
def test_the_lowest_point_of_the_cuts_is_found(seed):
    """Against a fine grid: a corner that is forgotten would give a lower bound that is none."""
    from foretell.networked.search import _Cut, _lowest

    rng = np.random.default_rng(seed)
    program = Program(float(rng.uniform(0.1, 20)), 1.0, beta=float(rng.uniform(0.1, 0.95)))
    cuts = [_Cut(0.0, float(rng.uniform(0, 0.5)), None)]
    cuts += [_Cut(float(rng.exponential(10)), float(rng.uniform(0.2, 2)), None) for _ in range(rng.integers(1, 5))]
    low = float(rng.uniform(0.001, 0.3))
    loads = np.geomspace(low, 1, 20_001)
    values = program.k0 * loads**program.exponent + np.max([cut.value - cut.slope * loads for cut in cuts], axis=0)
    load, bound, _, _ = _lowest(program, cuts, low)
    assert low <= load <= 1
    assert bound <= values.min() + 1e-12
    assert bound >= values.min() - 0.02


def test_adaptive_search_needs_few_problems():
    pairs = graphs.preferential(300, 2)
    program = Program(9.0, 1.0, 0.3, 0.1, beta=0.9)
    few = weigh(pairs, "bound", program=program, epsilon=0.01).certificate
    many = weigh(pairs, "bound", program=program, epsilon=0.01, search="grid").certificate
    assert few.holds
    assert many.holds
    assert few.solves < many.solves / 5


def test_scaling_weights_changes_nothing():
    pairs = graphs.hub(5)
    weights = np.arange(1.0, 11)
    assert norms(pairs, weights).load == pytest.approx(norms(pairs, 7 * weights).load)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: weigh(graphs.path(4), "bound", epsilon=-0.1), "epsilon is -0.1"),
        (lambda: weigh(graphs.path(4), "bound", epsilon=0.0), "epsilon is 0"),
        (lambda: weigh(graphs.path(4), "bound", epsilon=math.nan), "epsilon is nan"),
        (lambda: weigh(graphs.path(4), "bound", search="random"), "search 'random'"),
        (lambda: weigh(graphs.path(4), "bound", max_iterations=0), "max_iterations is 0"),
        (lambda: weigh(graphs.path(4), "median"), "no method 'median'"),
        (lambda: weigh(graphs.path(4), "blue"), "weighs by a correlation"),
        (lambda: weigh(graphs.path(4), "blue", correlation=0.5), "a correlation of 0.5"),
        (lambda: weigh(graphs.path(4), "equal", correlation=0.1), "weighs by a correlation"),
        (lambda: Program(-1.0, 1.0), "k0 is -1"),
        (lambda: Program(1.0, math.nan), "k1 is nan"),
        (lambda: Program(0.0, 0.0), "all 0"),
        (lambda: Program(1.0, 1.0, beta=1.0), "beta is 1"),
        (lambda: Program.at_confidence(0.0), "delta is 0"),
        (lambda: norms(graphs.path(3), [1, -1]), "negative weights"),
        (lambda: norms(graphs.path(3), [0, 0]), "all 0"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(PairsError, match=message):
        make()


def test_one_giant_hub():
    pairs = graphs.star(50_000)
    for method in ("maxdeg", "fractional", "bound"):
        assert np.allclose(networked_weights(pairs, method), 1, atol=1e-6)
    assert weigh(pairs, "bound").effective_sample_size == pytest.approx(1)
    assert networked_weights(pairs, "matching").max() == 50_000


def test_isolated_pairs_are_equal_by_every_method():
    pairs = graphs.disjoint(20)
    for method in ("equal", "maxdeg", "matching", "fractional", "bound"):
        assert np.allclose(networked_weights(pairs, method), 1)
    assert np.allclose(networked_weights(pairs, "blue", correlation=0.3), 1)
    assert weigh(pairs, "bound").effective_sample_size == pytest.approx(20)


def test_single_pair():
    pairs = PairGraph.from_edges([0], [1])
    for method in ("equal", "maxdeg", "matching", "fractional", "bound"):
        assert networked_weights(pairs, method).tolist() == pytest.approx([1.0])
