import numpy as np
import pytest
from networked import graphs
from scipy.optimize import nnls

from foretell.networked import networked_weights
from foretell.networked.blue import blue_weights


def covariance(pairs, correlation):
    ratio = correlation / (1 - pairs.arity * correlation)
    return np.eye(pairs.n_pairs) + ratio * (pairs.incidence.T @ pairs.incidence).toarray()


@pytest.mark.parametrize("seed", range(40))
def test_solves_the_normal_equations(seed):
    pairs = graphs.random_pairs(seed, arity=2 + seed % 2)
    correlation = np.random.default_rng(seed).uniform(0, 0.33)
    direct = np.linalg.solve(covariance(pairs, correlation), np.ones(pairs.n_pairs))
    found = blue_weights(pairs, correlation, nonnegative=False)
    assert np.allclose(found, direct / direct.sum(), atol=1e-6)


@pytest.mark.parametrize("seed", range(40))
def test_nonnegative_weights_have_the_least_variance(seed):
    pairs = graphs.random_pairs(seed)
    correlation = np.random.default_rng(seed).uniform(0, 0.45)
    matrix = covariance(pairs, correlation)
    found = blue_weights(pairs, correlation)
    # min w'Sw over w >= 0, sum w = 1, is non-negative least squares |L'w|^2 + big (sum w - 1)^2 up to scale.
    root = np.linalg.cholesky(matrix).T
    oracle, _ = nnls(np.vstack([root, np.full(pairs.n_pairs, 1e4)]), np.append(np.zeros(pairs.n_pairs), 1e4))
    oracle /= oracle.sum()
    assert found.min() >= 0
    assert found @ matrix @ found <= oracle @ matrix @ oracle * (1 + 1e-5)


def test_a_pair_of_two_hubs_would_be_negative():
    left = np.array([0] + [0] * 30 + [1] * 30)
    right = np.array([1, *range(2, 62)])
    pairs = graphs.PairGraph.from_edges(left, right)
    assert blue_weights(pairs, 0.45, nonnegative=False)[0] < 0
    assert networked_weights(pairs, "blue", correlation=0.45)[0] == 0


def test_without_correlation_weights_are_equal():
    assert np.allclose(networked_weights(graphs.hub(5), "blue", correlation=0.0), 1)
