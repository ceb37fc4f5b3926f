import math

import numpy as np
import pytest
from networked import graphs

from foretell.networked import PairsError, Program, risk_bound, weigh
from foretell.networked.bounds import complete_graph_bound, equal_weights_bound


@pytest.mark.parametrize("n", [2, 3, 7, 12])
@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_complete_graphs(n, beta):
    program = Program.at_confidence(0.1, beta=beta)
    found, closed = risk_bound(graphs.complete(n), program=program), complete_graph_bound(n, program)
    assert found.value == pytest.approx(closed.value)
    assert found.norms.load == pytest.approx(closed.norms.load)
    assert found.norms.object_euclidean == pytest.approx(closed.norms.object_euclidean)
    assert found.least_load == pytest.approx(closed.least_load)


@pytest.mark.parametrize("pairs", [graphs.star(6), graphs.cycle(7), graphs.hub(9), graphs.disjoint(4)])
def test_equal_weights(pairs):
    closed = equal_weights_bound(pairs.n_pairs, pairs.maximum_degree)
    assert risk_bound(pairs).value == pytest.approx(closed.value)


def test_terms_add_up_and_are_those_of_the_program():
    pairs = graphs.hub(20)
    program = Program(2.0, 3.0, 5.0, 7.0, beta=0.3)
    weighting = weigh(pairs, "bound", program=program, epsilon=0.01)
    found = risk_bound(pairs, weighting.weights, program)
    assert found.value == pytest.approx(weighting.certificate.objective)
    assert found.load_term == pytest.approx(2 * found.norms.load ** (1 / 1.3))
    assert found.norms.load >= found.least_load * (1 - 1e-12)
    assert found.value < risk_bound(pairs, program=program).value


def test_constants_at_a_confidence():
    log = math.log(20)
    assert Program.at_confidence(0.05) == Program(log, log, log**1.5, log**2, 0.0)
    assert Program.at_confidence(0.05, beta=0.5).k0 == pytest.approx(log * 2 ** (2 / 1.5))
    assert Program(1, 1).is_convex
    assert not Program(1, 1, beta=0.5).is_convex
    assert Program(0, 1, beta=0.5).is_convex


def test_hyperedges_have_no_least_load():
    pairs = graphs.random_pairs(3, arity=3)
    assert risk_bound(pairs, np.ones(pairs.n_pairs)).least_load is None


@pytest.mark.parametrize("call", [lambda: complete_graph_bound(1), lambda: equal_weights_bound(3, 4)])
def test_impossible_graphs_are_refused(call):
    with pytest.raises(PairsError):
        call()
