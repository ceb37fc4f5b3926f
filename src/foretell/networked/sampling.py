"""Drawing pairs in proportion to their weights, for training in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from foretell.networked.errors import PairsError
from foretell.networked.weights import Method, Weighting, weigh

if TYPE_CHECKING:
    from torch.utils.data import WeightedRandomSampler


def pair_sampler(
    pairs: Any, method: Method | Weighting = "maxdeg", *, num_samples: int | None = None, generator: Any = None
) -> WeightedRandomSampler:
    """Sampler for a torch ``DataLoader`` that draws pairs in proportion to their weights, with replacement.

    Parameters
    ----------
    pairs : PairGraph or what :func:`foretell.networked.networked_weights` takes
        In the order of the data set.
    method : str or Weighting
        Method of :func:`foretell.networked.weigh`, or its result.
    num_samples : int, optional
        Draws in one pass; as many as there are pairs by default.
    generator : torch.Generator, optional

    Raises
    ------
    PairsError
        torch is not installed.
    """
    try:
        import torch
        from torch.utils.data import WeightedRandomSampler
    except ImportError:
        raise PairsError("the sampler needs torch", "pip install 'foretell[torch]'") from None
    weighting = method if isinstance(method, Weighting) else weigh(pairs, method)
    count = weighting.weights.size if num_samples is None else num_samples
    if count < 1:
        raise PairsError(f"num_samples is {count}", "draw at least one pair")
    weights = torch.from_numpy(weighting.weights.copy())
    return WeightedRandomSampler(weights, count, replacement=True, generator=generator)  # type: ignore[arg-type]
