"""Risk bounds for stable learners trained on dependent data. Often vacuous, and said so.

A learner is uniformly stable with constant beta if leaving out one training item changes the loss on any item by at
most beta. For n items with dependency graph G, mean degree d and one marginal law, losses in [0, M], and D the
smaller of the elimination and forest complexity of G with coefficients 1, with probability at least 1 - delta

    R(f_S) <= empirical risk + 2 beta (d + 1) + (4 n beta + M) sqrt(D log(1 / delta) / (2 n^2)).

The form is that of Zhang, Liu, Wang and Wang (NeurIPS 2019), re-derived; the guide has the proof, with the mean
degree in the place of the largest one. ``beta`` must hold for all sizes from n - (largest degree) to n.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

import numpy as np

from foretell.dependence.errors import DependenceError
from foretell.dependence.graph import DependencyGraph
from foretell.dependence.inequalities import check_delta, kl_upper


@dataclass(frozen=True)
class Certificate:
    """An upper bound on the risk, its parts, and whether it says anything.

    Attributes
    ----------
    bound : float
        The risk is at most this, with the given confidence.
    estimate, bias, deviation : float
        Parts of the bound: the empirical (or left-out) risk, what stability costs in expectation, and in deviation.
    vacuous : bool
        Whether the bound is no better than the largest possible loss.
    """

    bound: float
    estimate: float
    bias: float
    deviation: float
    confidence: float
    vacuous: bool
    assumptions: tuple[str, ...]

    def __str__(self) -> str:
        note = " (vacuous: losses cannot be larger than that anyway)" if self.vacuous else ""
        return (
            f"risk <= {self.bound:.4g}{note} with confidence {self.confidence:.0%}: "
            f"{self.estimate:.4g} + {self.bias:.4g} (bias) + {self.deviation:.4g} (deviation)"
        )


def stability_certificate(
    graph: DependencyGraph, empirical_risk: float, beta: float, loss_bound: float, *, confidence: float = 0.95
) -> Certificate:
    """Bound the risk of a uniformly stable learner from its risk on the training items.

    Parameters
    ----------
    graph : DependencyGraph
        Of the training items.
    empirical_risk : float
        Mean loss on them.
    beta : float
        Uniform stability by removal; see :func:`regularized_beta`.
    loss_bound : float
        M: losses lie in [0, M].
    confidence : float
        1 - delta.

    Examples
    --------
    >>> graph = DependencyGraph.from_m_dependence(5000, 5)
    >>> print(stability_certificate(graph, 0.1, beta=1e-5, loss_bound=1.0))
    risk <= 0.1931 with confidence 95%: 0.1 + 0.0002199 (bias) + 0.09284 (deviation)
    """
    return _certificate(graph, empirical_risk, 2 * beta * (_mean_degree(graph) + 1), beta, loss_bound, confidence)


def left_out_certificate(
    graph: DependencyGraph,
    left_out_risk: float,
    beta: float,
    loss_bound: float,
    *,
    neighborhoods: bool = True,
    confidence: float = 0.95,
) -> Certificate:
    """Bound the risk from losses on items left out of training, alone or with their neighbours.

    Parameters
    ----------
    left_out_risk : float
        Mean loss over items i of the model trained without i's neighbourhood (``neighborhoods=True``, made by
        :class:`LeaveNeighborhoodOut`), or without i alone.
    graph, beta, loss_bound, confidence
        As for :func:`stability_certificate`.

    Notes
    -----
    Leaving out neighbourhoods makes model and test item independent, so only the d_i + 1 removals count: the bias is
    at most beta (d + 1). Leaving out one item, the model still depends on it through its neighbours, and the bias is
    at most beta (2 d + 1).
    """
    degree = _mean_degree(graph)
    bias = beta * (degree + 1 if neighborhoods else 2 * degree + 1)
    return _certificate(graph, left_out_risk, bias, beta, loss_bound, confidence)


def _certificate(
    graph: DependencyGraph, estimate: float, bias: float, beta: float, loss_bound: float, confidence: float
) -> Certificate:
    delta = check_delta(1 - confidence)
    if not 0 <= estimate <= loss_bound or not np.isfinite(loss_bound):
        raise DependenceError(f"a risk of {estimate:g} with losses up to {loss_bound:g}", "give both in one unit")
    if not 0 <= beta < np.inf:
        raise DependenceError(f"a stability of {beta:g}", "give a number of 0 or more")
    size = graph.n_items
    denominator = min(graph.elimination_complexity().value, graph.forest_complexity().value)
    deviation = (4 * size * beta + loss_bound) * sqrt(denominator * log(1 / delta) / (2 * size**2))
    bound = estimate + bias + deviation
    assumptions = (
        *graph.notes,
        "all items have the same marginal law",
        f"removing an item changes any loss by at most {beta:g}",
    )
    return Certificate(bound, estimate, bias, deviation, confidence, bool(bound >= loss_bound), assumptions)


def regularized_beta(
    penalty: float, feature_bound: float, *, loss: str = "hinge", target_bound: float = 1.0, n_items: int | None = None
) -> float:
    """Uniform stability of a minimiser of sum_i loss(f(x_i), y_i) + penalty ||f||^2 over a Hilbert space.

    Parameters
    ----------
    penalty : float
        Lambda in front of the squared norm: ``alpha`` of scikit-learn's Ridge, 1 / (2 C) of its SVC and
        LogisticRegression; without an intercept, which these leave out of the penalty.
    feature_bound : float
        kappa: norms of features (or sqrt of k(x, x)) are at most this.
    loss : {"hinge", "logistic", "squared"}
        Hinge and natural-log logistic loss change by at most 1 when f(x) changes by 1. The squared loss changes by at
        most 2 (B + kappa B sqrt(n / penalty)) for targets in [-B, B], since ||f||^2 <= n B^2 / penalty.
    target_bound, n_items : float, int
        B and n, for the squared loss.

    Notes
    -----
    The objective is 2 Lambda-strongly convex. Let f and g minimise it with and without item i. Then
    Lambda ||f - g||^2 is at most the excess of g in the one objective and of f in the other; added, the other losses
    cancel and 2 Lambda ||f - g||^2 <= loss_i(g) - loss_i(f) <= s kappa ||f - g||. So any loss changes by at most
    s kappa ||f - g|| <= s^2 kappa^2 / (2 Lambda), the constant of Bousquet and Elisseeff (2002), Theorem 22. []

    Examples
    --------
    >>> regularized_beta(penalty=50.0, feature_bound=1.0)
    0.01
    """
    if not (penalty > 0 and feature_bound >= 0):
        raise DependenceError("a penalty or feature bound that is not positive", "give penalty > 0 and kappa >= 0")
    if loss in ("hinge", "logistic"):
        slope = 1.0
    elif loss == "squared":
        if n_items is None:
            raise DependenceError("the number of items is not known", "pass n_items= for the squared loss")
        slope = 2 * target_bound * (1 + feature_bound * sqrt(n_items / penalty))
    else:
        raise DependenceError(f"a loss {loss!r}", "choose hinge, logistic or squared, or supply beta yourself")
    return slope**2 * feature_bound**2 / (2 * penalty)


def pac_bayes_bound(
    empirical_risk: float, divergence: float, graph: DependencyGraph, *, confidence: float = 0.95
) -> float:
    """Upper bound on the risk of a randomised classifier (chromatic PAC-Bayes, kl form).

    kl(empirical || true) <= (KL(Q || P) + log((N + 1) / delta)) / N for all Q at once, N = n / chi (Ralaivola,
    Szafranski and Stempfel 2009, Theorem 3), with the equal-weight part of the graph's fractional cover for chi.

    Parameters
    ----------
    empirical_risk : float
        Mean 0-1 loss of the posterior Q on the items.
    divergence : float
        KL(Q || P) in nats; the prior P must not depend on the items.
    graph : DependencyGraph
        Of the items.

    Examples
    --------
    >>> round(pac_bayes_bound(0.1, 5.0, DependencyGraph.from_m_dependence(5000, 5)), 3)
    0.166
    """
    delta = check_delta(1 - confidence)
    if not 0 <= empirical_risk <= 1 or not divergence >= 0:
        raise DependenceError("a risk outside 0 to 1 or a negative divergence", "give the mean 0-1 loss and KL >= 0")
    # Weights v_i of at least w on every item contain a fractional cover of total weight 1 / w.
    effective = graph.n_items * float(graph.fractional_cover().weights.min())
    return kl_upper(empirical_risk, (divergence + log((effective + 1) / delta)) / effective)


def _mean_degree(graph: DependencyGraph) -> float:
    return float(graph.neighborhood_sums(np.ones(graph.n_items)).mean()) - 1
