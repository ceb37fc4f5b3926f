"""Meta-estimators of scikit-learn that weigh pairs before they fit.

For training, weights gain little: something where a few hubs have most pairs and objects have effects that no feature
shows, nothing or less than nothing elsewhere. The guide has the measurements. For evaluation they gain a lot: see
:func:`foretell.networked.pair_interval`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from foretell.networked.errors import PairsError
from foretell.networked.graph import as_pairs
from foretell.networked.kernels import Floats
from foretell.networked.weights import Method, weigh


def _wrapped_has(name: str) -> Any:
    def check(self: Any) -> bool:
        inner = getattr(self, "estimator_", None) or self.estimator or self._default()
        return hasattr(inner, name)

    return check


class _Networked(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """What classifier and regressor share."""

    def __init__(self, estimator: Any = None, method: Method = "maxdeg", options: dict[str, Any] | None = None) -> None:
        self.estimator = estimator
        self.method = method
        self.options = options

    def fit(self, X: Any, y: Any, pairs: Any = None, sample_weight: Any = None) -> Any:
        """Weigh the pairs and fit the estimator.

        Parameters
        ----------
        X : array_like, shape (m, d)
            Features of the pairs.
        y : array_like, shape (m,)
        pairs : array_like, shape (m, k), DataFrame, PairGraph, optional
            Ids of the objects of every pair. Without them all weights are 1.
        sample_weight : array_like, shape (m,), optional
            Further weights, multiplied with those of the pairs.
        """
        weights: Floats | None = None
        if pairs is not None:
            weights = weigh(as_pairs(pairs), self.method, **(self.options or {})).weights
            if weights.size != np.shape(y)[0]:
                raise PairsError(f"{weights.size} pairs for {np.shape(y)[0]} labels", "give ids for every row of X")
        if sample_weight is not None:
            given = np.asarray(sample_weight, dtype=float)
            weights = given if weights is None else weights * given
        inner = clone(self.estimator) if self.estimator is not None else self._default()
        self.estimator_ = inner.fit(X, y) if weights is None else inner.fit(X, y, sample_weight=weights)
        self.weights_ = weights
        if hasattr(self.estimator_, "n_features_in_"):
            self.n_features_in_ = self.estimator_.n_features_in_
        if hasattr(self.estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.estimator_.feature_names_in_
        if hasattr(self.estimator_, "classes_"):
            self.classes_ = self.estimator_.classes_
        return self

    def _default(self) -> Any:
        raise NotImplementedError

    def predict(self, X: Any) -> Any:
        """Predict with the fitted estimator."""
        check_is_fitted(self, "estimator_")
        return self.estimator_.predict(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = (self.estimator or self._default()).__sklearn_tags__()
        tags.input_tags = inner.input_tags
        tags.target_tags = inner.target_tags
        tags.classifier_tags, tags.regressor_tags = inner.classifier_tags, inner.regressor_tags
        return tags


class NetworkedClassifier(ClassifierMixin, _Networked):  # type: ignore[misc]
    """Classifier of pairs that share objects.

    Parameters
    ----------
    estimator : classifier, optional
        Takes ``sample_weight``; logistic regression by default.
    method : str
        As for :func:`foretell.networked.weigh`.
    options : dict, optional
        Further arguments of that function, such as ``{"epsilon": 0.1}``.

    Attributes
    ----------
    estimator_ : classifier
        The fitted one.
    weights_ : ndarray, shape (m,), or None
    classes_ : ndarray

    Examples
    --------
    >>> X, y = np.array([[0.0], [0.1], [0.2], [1.0]]), [0, 0, 1, 1]
    >>> model = NetworkedClassifier().fit(X, y, pairs=[(0, 1), (0, 2), (0, 3), (4, 5)])
    >>> model.weights_.round(2)
    array([0.67, 0.67, 0.67, 2.  ])
    """

    def _default(self) -> Any:
        return LogisticRegression()

    @available_if(_wrapped_has("predict_proba"))
    def predict_proba(self, X: Any) -> Any:
        """Probabilities of the classes."""
        check_is_fitted(self, "estimator_")
        return self.estimator_.predict_proba(X)

    @available_if(_wrapped_has("decision_function"))
    def decision_function(self, X: Any) -> Any:
        """Decision function of the fitted estimator."""
        check_is_fitted(self, "estimator_")
        return self.estimator_.decision_function(X)


class NetworkedRegressor(RegressorMixin, _Networked):  # type: ignore[misc]
    """Regressor for pairs that share objects; ridge regression by default.

    Parameters and attributes are those of :class:`NetworkedClassifier`, without classes.
    """

    def _default(self) -> Any:
        return Ridge()
