import numpy as np
import pytest

from foretell.dependence import (
    DependencyGraph,
    left_out_certificate,
    pac_bayes_bound,
    regularized_beta,
    stability_certificate,
)
from foretell.dependence.errors import DependenceError
from foretell.dependence.inequalities import kl


def test_the_formula_by_hand():
    graph = DependencyGraph.from_groups(np.arange(100) // 5)  # degree 4, complexity 100 * 5
    found = stability_certificate(graph, 0.2, 1e-3, 1.0, confidence=0.9)
    assert found.bias == pytest.approx(2 * 1e-3 * 5)
    assert found.deviation == pytest.approx((4 * 100 * 1e-3 + 1) * np.sqrt(500 * np.log(10) / (2 * 100**2)))
    assert found.bound == pytest.approx(0.2 + found.bias + found.deviation)
    assert not found.vacuous
    near = left_out_certificate(graph, 0.2, 1e-3, 1.0, confidence=0.9)
    alone = left_out_certificate(graph, 0.2, 1e-3, 1.0, confidence=0.9, neighborhoods=False)
    assert near.bias == pytest.approx(5e-3)
    assert alone.bias == pytest.approx(9e-3)


def test_vacuous_certificates_say_so():
    found = stability_certificate(DependencyGraph.complete(50), 0.2, 0.01, 1.0)
    assert found.vacuous
    assert "vacuous" in str(found)


@pytest.mark.parametrize("loss", ["hinge", "logistic", "squared"])
def test_no_removal_moves_a_loss_by_more_than_beta(loss):
    """Fit exactly by a general solver, drop each item, compare losses at all items and some others."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(0)
    size, penalty = 12, 2.0
    X = rng.normal(size=(size, 2))
    X /= np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1)
    y = rng.choice([-1.0, 1.0], size)
    losses = {
        "hinge": lambda f, t: np.maximum(0, 1 - t * f),
        "logistic": lambda f, t: np.logaddexp(0, -t * f),
        "squared": lambda f, t: (f - t) ** 2,
    }[loss]

    def fit(kept):
        def value(w):
            return losses(X[kept] @ w, y[kept]).sum() + penalty * w @ w

        return minimize(value, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}).x

    beta = regularized_beta(penalty, 1.0, loss=loss, n_items=size)
    everything = np.arange(size)
    full = fit(everything)
    moved = max(
        np.abs(losses(X @ full, t) - losses(X @ fit(np.delete(everything, k)), t)).max()
        for k in range(size)
        for t in (-1.0, 1.0)
    )
    assert 0 < moved <= beta * (1 + 1e-6)


def test_coverage_of_the_certificate_with_measured_stability():
    """A mean of bounded m-dependent values is stable; the bound holds, with much to spare."""
    rng = np.random.default_rng(0)
    size, m = 200, 3
    graph = DependencyGraph.from_m_dependence(size, m)
    held = []
    for _ in range(15):
        noise = rng.random(size + m)
        values = np.lib.stride_tricks.sliding_window_view(noise, m + 1).mean(axis=1)
        theta = values.mean()
        risk = np.mean([(theta - 0.5) ** 2 + 1 / (12 * (m + 1))])
        found = stability_certificate(graph, float(((values - theta) ** 2).mean()), 2 / (size - 1), 1.0)
        held.append(risk <= found.bound)
    assert all(held)


def test_pac_bayes():
    graph = DependencyGraph.from_groups(np.arange(1000) // 2)
    bound = pac_bayes_bound(0.1, 3.0, graph, confidence=0.95)
    assert kl(0.1, bound) == pytest.approx((3 + np.log(501 / 0.05)) / 500, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda g: stability_certificate(g, 2.0, 0.1, 1.0), "risk of 2"),
        (lambda g: stability_certificate(g, 0.5, -0.1, 1.0), "stability"),
        (lambda g: stability_certificate(g, 0.5, np.nan, 1.0), "stability"),
        (lambda g: stability_certificate(g, 0.5, 0.1, 1.0, confidence=2), "confidence"),
        (lambda g: regularized_beta(0, 1), "penalty"),
        (lambda g: regularized_beta(1, 1, loss="0-1"), "choose hinge"),
        (lambda g: regularized_beta(1, 1, loss="squared"), "n_items"),
        (lambda g: pac_bayes_bound(1.5, 1, g), "risk"),
    ],
)
def test_bad_input(call, says):
    with pytest.raises(DependenceError, match=says):
        call(DependencyGraph.independent(10))
