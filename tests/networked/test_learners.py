import numpy as np
import pandas as pd
import pytest
from networked import graphs
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from foretell.networked import NetworkedClassifier, NetworkedRegressor, PairKFold, PairsError, networked_weights


@parametrize_with_checks([NetworkedClassifier(), NetworkedRegressor()])
def test_the_contract_of_estimators(estimator, check):
    check(estimator)


def data(seed=0):
    pairs = graphs.hub(40)
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(pairs.n_pairs, 3))
    return pairs, inputs, (inputs[:, 0] + 0.1 * rng.normal(size=pairs.n_pairs) > 0).astype(int)


def test_fits_with_the_weights_of_the_pairs():
    pairs, inputs, labels = data()
    model = NetworkedClassifier(LogisticRegression(C=2.0)).fit(inputs, labels, pairs=pairs)
    by_hand = LogisticRegression(C=2.0).fit(inputs, labels, sample_weight=networked_weights(pairs))
    assert np.allclose(model.estimator_.coef_, by_hand.coef_)
    assert np.allclose(model.predict_proba(inputs), by_hand.predict_proba(inputs))
    assert np.allclose(model.decision_function(inputs), by_hand.decision_function(inputs))
    unweighted = NetworkedClassifier(LogisticRegression(C=2.0)).fit(inputs, labels)
    assert not np.allclose(model.estimator_.coef_, unweighted.estimator_.coef_)


def test_weights_multiply_and_options_arrive():
    pairs, inputs, labels = data()
    given = np.linspace(1, 2, pairs.n_pairs)
    model = NetworkedRegressor(Ridge(), method="bound", options={"epsilon": 0.01})
    model.fit(inputs, labels, pairs=pairs.members, sample_weight=given)
    expected = networked_weights(pairs, "bound", epsilon=0.01) * given
    assert np.allclose(model.weights_, expected)
    assert np.allclose(model.predict(inputs), Ridge().fit(inputs, labels, sample_weight=expected).predict(inputs))
    assert clone(model).get_params()["options"] == {"epsilon": 0.01}


def test_frames_of_ids():
    frame = pd.DataFrame({"user": ["a", "a", "b"], "item": ["x", "y", "x"]})
    model = NetworkedRegressor().fit(np.arange(6.0).reshape(3, 2), [1, 2, 3], pairs=frame)
    assert model.weights_.tolist() == pytest.approx([1.0, 1.0, 1.0])


def test_wrong_number_of_pairs():
    with pytest.raises(PairsError, match="2 pairs for 3 labels"):
        NetworkedClassifier().fit(np.eye(3), [0, 1, 0], pairs=[(0, 1), (1, 2)])


def ids(seed, n=12, m=80):
    return np.random.default_rng(seed).integers(0, n, (m, 2))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("seen", "count"), [("both", 2), ("one", 1), ("none", 0)])
def test_test_pairs_have_as_many_seen_objects(seen, count, seed):
    pairs = ids(seed)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    splits = list(PairKFold(3, seen=seen, random_state=seed).split(pairs))
    assert splits
    for train, test in splits:
        assert not set(train) & set(test)
        known = set(pairs[train].ravel())
        assert all(len({u, v} & known) == count for u, v in pairs[test])


def test_every_pair_is_tested_once_without_seen_objects():
    grid = np.array([(u, 100 + i) for u in range(9) for i in range(9)])
    tested = np.concatenate([test for _, test in PairKFold(3, seen="none", random_state=0).split(grid)])
    assert sorted(tested) == list(range(81))


def test_splits_are_repeatable_and_counted():
    grid = np.array([(u, 100 + i) for u in range(9) for i in range(9)])
    splitter = PairKFold(3, seen="none", random_state=5)
    one, two = ([test.tolist() for _, test in splitter.split(grid)] for _ in range(2))
    assert one == two
    assert len(one) <= splitter.get_n_splits() == 6
    assert PairKFold(4).get_n_splits() == 4


def test_cross_validation_of_scikit_learn():
    pairs = ids(1, n=20, m=200)
    features = np.concatenate([pairs, pairs**2], axis=1).astype(float)
    labels = pairs.sum(axis=1) % 2
    scores = cross_val_score(
        LogisticRegression(max_iter=5000), features, labels, groups=pairs, cv=PairKFold(3, seen="both")
    )
    assert scores.shape == (3,)


@pytest.mark.parametrize(
    ("splitter", "message"),
    [
        (PairKFold(1), "n_splits is 1"),
        (PairKFold(3, seen="some"), "seen is 'some'"),
        (PairKFold(2, seen="none"), "no test pairs"),
    ],
)
def test_impossible_splits_are_refused(splitter, message):
    with pytest.raises(PairsError, match=message):
        list(splitter.split(np.array([(0, 1), (0, 2), (0, 3)])))
