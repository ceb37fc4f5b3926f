"""The loss that keeps no scores is plain cross-entropy, and so are its gradients."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from foretell.drafts.losses import soft_cross_entropy  # noqa: E402


@pytest.mark.parametrize("own_head", [False, True])
def test_it_is_cross_entropy(own_head: bool) -> None:
    torch.manual_seed(0)
    states, head = torch.randn(300, 8, requires_grad=True), torch.randn(20, 8, requires_grad=own_head)
    wished, wished_head, rows = torch.randn(40, 8), torch.randn(20, 8), torch.randint(40, (300,))
    found = soft_cross_entropy(states, head, wished, wished_head, rows)
    wanted = torch.softmax(wished @ wished_head.T, -1)
    plain = -(wanted[rows] * torch.log_softmax(states @ head.T, -1)).sum(-1).mean()
    assert torch.allclose(found, plain, rtol=1e-5)
    sources = [states, head] if own_head else [states]
    for a, b in zip(torch.autograd.grad(3 * found, sources), torch.autograd.grad(3 * plain, sources), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
