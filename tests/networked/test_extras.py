"""The sampler, the plot, and what importing costs."""

import io
import subprocess
import sys

import numpy as np
import pytest
from networked import graphs

import foretell.networked
from foretell.networked import PairsError, pair_sampler, plot_weights, weigh


def test_sampler_draws_in_proportion():
    torch = pytest.importorskip("torch")
    pairs = graphs.hub(10)
    sampler = pair_sampler(pairs, "maxdeg", num_samples=20_000, generator=torch.Generator().manual_seed(0))
    drawn = np.bincount(list(sampler), minlength=pairs.n_pairs) / 20_000
    expected = weigh(pairs).weights / pairs.n_pairs
    assert np.abs(drawn - expected).max() < 0.01
    assert len(pair_sampler(pairs, weigh(pairs, "bound"))) == pairs.n_pairs
    with pytest.raises(PairsError, match="num_samples is 0"):
        pair_sampler(pairs, num_samples=0)


def test_plots_are_pictures():
    pytest.importorskip("matplotlib")
    for method in ("maxdeg", "matching"):
        file = io.BytesIO()
        plot_weights(weigh(graphs.hub(30), method), file, format="png")
        assert file.getvalue().startswith(b"\x89PNG")


def test_import_needs_neither_torch_nor_scikit_learn_nor_pandas():
    script = "import sys\nfrom foretell.networked import weigh\nweigh([(0, 1), (1, 2)])\nprint(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"torch", "sklearn", "matplotlib"} & set(result.stdout.split())


def test_everything_public_is_there():
    assert all(getattr(foretell.networked, name) is not None for name in foretell.networked.__all__)
    with pytest.raises(AttributeError):
        _ = foretell.networked.nothing
