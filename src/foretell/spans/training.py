"""The training loop that LEAR and its rivals share."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from foretell.spans.batches import Example, Targets, batch_targets, batch_windows
from foretell.spans.layers import LabelBatch, LabelCode, Pairs, Scores, TextBatch, candidate_pairs
from foretell.spans.pieces import PieceTokenizer
from foretell.spans.precision import Precision, products_in
from foretell.spans.settings import Settings

log = logging.getLogger(__name__)
_SLOW = ("encoder.body.", "text_projection.", "label_projection.", "fusion.")
_SLOW_END = "meaning.weight"
_ROW_PIECES = 6_144
"""Most pieces that pass through the encoder at once while training; larger batches are done in parts."""
_MOST_CANDIDATES = 50_000
"""Most wrong candidates that the match head learns from at once; more occur only when a model has learnt nothing."""


@dataclass(frozen=True)
class Training:
    """How to train.

    Attributes
    ----------
    epochs : int
        Passes over the training documents.
    batch_size : int
        Windows of text per step.
    learning_rate : float
        Of the encoder, at its highest.
    head_factor : float
        How many times faster everything else learns.
    warmup : float
        Share of the steps in which rates rise from zero; then they fall to zero, linearly.
    weight_decay : float
        Of matrices; biases, norms and heads' offsets have none.
    clip : float
        Largest norm of the gradient.
    match_weight : float
        Weight of the match loss; those of starts and ends are 1.
    label_steps : int
        Descriptions pass through the encoder at each step of so many; in between, the vectors of the last time are
        used, and what projects and scores them still learns.
    label_gradient : bool
        Whether the encoder learns from what it makes of descriptions, as in the paper, or from texts alone. With few
        texts the gradients of a dozen descriptions, which come at once and all over the encoder, outweigh theirs.
    word_vectors : bool
        Whether the encoder's input embeddings learn, half of a small encoder's weights; those of word shapes always do.
    encoder_dropout : float
        Inside the encoder, while training; drawing it takes a third of the time of a step on a processor.
    dev_every : int
        Epochs between two scorings of development documents; the last epoch is always scored.
    seed : int
        Of first weights, order and dropout.
    """

    epochs: int = 10
    batch_size: int = 16
    learning_rate: float = 1e-4
    head_factor: float = 10.0
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    match_weight: float = 1.0
    label_steps: int = 4
    label_gradient: bool = False
    word_vectors: bool = False
    encoder_dropout: float = 0.0
    dev_every: int = 1
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the values."""
        return asdict(self)


@dataclass(frozen=True)
class Progress:
    """Where training is: steps done and in all, epoch from 1, mean loss of the epoch so far."""

    step: int
    steps: int
    epoch: int
    loss: float


Collection = tuple[Sequence[Example], LabelBatch]
"""Windows with gold, and the labels that gold was looked for of."""


def train_epochs(
    model: Any,
    collections: Sequence[Collection],
    tokenizer: PieceTokenizer,
    settings: Settings,
    training: Training,
    device: torch.device,
    progress: Callable[[Progress], None] | None = None,
    precision: Precision = "auto",
) -> Iterator[tuple[int, float, float]]:
    """Train; yields (epoch, mean loss, seconds) after each epoch, the model being in evaluation mode then.

    Parameters
    ----------
    model : nn.Module
        LEAR or a rival, on ``device``.
    collections : sequence of (sequence of Example, LabelBatch)
        Windows with gold, and their labels. Each batch is from one collection and scores only its labels, which are
        encoded as part of the model, see ``label_steps``.
    precision : {"auto", "float32", "bfloat16"}
        Of products of matrices; weights stay float32.
    """
    order = random.Random(training.seed)
    parts = sum(-(-len(examples) // training.batch_size) for examples, _ in collections)
    steps = parts * training.epochs
    _prepare_encoder(model, training)
    optimizer = make_optimizer(model, training)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_share(step, steps, training.warmup))
    labels = [batch.to(device) for _, batch in collections]
    context = products_in(precision, device)
    step, steps_of = 0, [0] * len(labels)
    vectors: list[Tensor | None] = [None] * len(labels)
    for epoch in range(1, training.epochs + 1):
        model.train()
        begin, total = time.perf_counter(), 0.0
        for number, (which, batch) in enumerate(_mixed_batches(collections, training.batch_size, order), 1):
            optimizer.zero_grad()
            kept = vectors[which] if steps_of[which] % training.label_steps else None
            with context():
                value, vectors[which] = _backward(
                    model, batch, labels[which], tokenizer, settings, training, device, kept
                )
            steps_of[which] += 1
            total += value
            nn.utils.clip_grad_norm_(model.parameters(), training.clip)
            optimizer.step()
            schedule.step()
            step += 1
            if progress:
                progress(Progress(step, steps, epoch, total / number))
        model.eval()
        yield epoch, total / max(parts, 1), time.perf_counter() - begin


def _prepare_encoder(model: Any, training: Training) -> None:
    """What of the encoder learns, its dropout, and the attention that is fastest to train short texts with."""
    body = model.encoder.body
    body.get_input_embeddings().weight.requires_grad_(training.word_vectors)
    for module in body.modules():
        if isinstance(module, nn.Dropout):
            module.p = training.encoder_dropout
    body.set_attn_implementation("eager")


def rate_share(step: int, steps: int, warmup: float) -> float:
    """Share of the highest learning rate at a step.

    Examples
    --------
    >>> [rate_share(step, 10, 0.2) for step in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    rising = int(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    return max(0.0, (steps - step) / max(1, steps - rising))


def make_optimizer(model: nn.Module, training: Training) -> torch.optim.AdamW:
    """AdamW with every parameter in exactly one of four groups: slow or fast, matrix or not.

    Slow are the encoder, and what makes vectors of vectors: there a small change of each weight is a large one of the
    result.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            slow = name.startswith(_SLOW) or name.endswith(_SLOW_END)
            groups.setdefault((slow, parameter.ndim > 1), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": training.learning_rate * (1.0 if slow else training.head_factor),
                "weight_decay": training.weight_decay if matrix else 0.0,
            }
            for (slow, matrix), parameters in groups.items()
        ],
        eps=1e-8,
        fused=True,
    )


def _batches(examples: Sequence[Example], size: int, order: random.Random) -> Iterator[list[Example]]:
    """Batches in random order, each of examples of similar length."""
    indices = list(range(len(examples)))
    order.shuffle(indices)
    pool = size * 32
    batches = []
    for begin in range(0, len(indices), pool):
        chunk = sorted(indices[begin : begin + pool], key=lambda index: len(examples[index].window.pieces))
        batches += [chunk[i : i + size] for i in range(0, len(chunk), size)]
    order.shuffle(batches)
    for batch in batches:
        yield [examples[index] for index in batch]


def _mixed_batches(
    collections: Sequence[Collection], size: int, order: random.Random
) -> Iterator[tuple[int, list[Example]]]:
    """Batches of all collections in random order, each with the number of the one that it is from."""
    if len(collections) == 1:
        yield from ((0, batch) for batch in _batches(collections[0][0], size, order))
        return
    batches = [
        (which, batch) for which, (examples, _) in enumerate(collections) for batch in _batches(examples, size, order)
    ]
    order.shuffle(batches)
    yield from batches


def _parts(batch: Sequence[Example], labels: LabelBatch, settings: Settings) -> Iterator[list[Example]]:
    """Cut a batch so that each part fits into memory."""
    longest = max(len(example.window.pieces) for example in batch) + 2
    count, length = labels.ids.shape
    row = count * (longest + length) if settings.model == "bert-mrc" else longest
    size = max(1, _ROW_PIECES // row)
    for begin in range(0, len(batch), size):
        yield list(batch[begin : begin + size])


def _backward(
    model: Any,
    batch: Sequence[Example],
    labels: LabelBatch,
    tokenizer: PieceTokenizer,
    settings: Settings,
    training: Training,
    device: torch.device,
    vectors: Tensor | None,
) -> tuple[float, Tensor | None]:
    """Gradients of a batch, part by part; returns its loss, and the vectors of the labels for the next steps."""
    total = 0.0
    parts = list(_parts(batch, labels, settings))
    for part in parts:
        text = batch_windows([example.window for example in part], tokenizer, settings).to(device)
        shape = (text.ids.shape[0], text.ids.shape[1])
        targets = batch_targets(part, shape, len(labels.rows), len(tokenizer.prefix))
        targets = Targets(*(getattr(targets, name).to(device) for name in ("start", "end", "spans", "weights")))
        code = model.encode_labels(labels, vectors, learns=training.label_gradient)
        scores = model(text, code)
        loss = bound_loss(scores, text, targets) * (len(part) / len(batch))
        if settings.nested:
            share = len(part) / len(batch)
            loss = loss + training.match_weight * share * match_loss(model, scores, code, text, targets, settings)
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    return total, None if code.vectors is None else code.vectors.detach()


def bound_loss(scores: Scores, text: TextBatch, targets: Targets) -> Tensor:
    """Cross-entropy of starts and of ends: summed over labels, averaged over the pieces where spans may begin or end.

    Windows count by their weights.
    """
    loss = torch.zeros((), device=scores.start.device)
    for logits, gold, allowed in (
        (scores.start, targets.start, text.may_start),
        (scores.end, targets.end, text.may_end),
    ):
        each = nn.functional.binary_cross_entropy_with_logits(logits.float(), gold, reduction="none").sum(-1)
        weights = allowed * targets.weights[:, None]
        loss = loss + (each * weights).sum() / allowed.sum().clamp(min=1)
    return loss


def match_candidates(scores: Scores, text: TextBatch, targets: Targets, longest: int) -> tuple[Pairs, Tensor]:
    """Pairs that the match head learns from, and which of them are gold.

    A pair is a candidate if the model now predicts its start AND its end, or if gold has its start AND its end (of
    the same or of two spans). Gold longer than ``longest`` is no candidate, since it cannot be predicted.
    """
    gold_start, gold_end = targets.start > 0, targets.end > 0
    predicted = candidate_pairs(
        (scores.start.detach() > 0) & text.may_start[..., None],
        (scores.end.detach() > 0) & text.may_end[..., None],
        longest,
    )
    gold = candidate_pairs(gold_start, gold_end, longest)
    labels, pieces = scores.start.shape[2], scores.start.shape[1]

    def keys(batch: Tensor, first: Tensor, last: Tensor, label: Tensor) -> Tensor:
        return ((batch * labels + label) * pieces + first) * pieces + last

    wanted = keys(gold.batch, gold.first, gold.last, gold.label)
    found = keys(predicted.batch, predicted.first, predicted.last, predicted.label)
    new = (~torch.isin(found, wanted)).nonzero()[:, 0]
    if len(new) > _MOST_CANDIDATES:
        new = new[torch.randperm(len(new), device=new.device)[:_MOST_CANDIDATES]]
    pairs = Pairs(
        *(
            torch.cat((getattr(gold, name), getattr(predicted, name)[new]))
            for name in ("batch", "first", "last", "label")
        )
    )
    spans = targets.spans
    true = keys(spans[:, 0], spans[:, 1], spans[:, 2], spans[:, 3])
    return pairs, torch.isin(keys(pairs.batch, pairs.first, pairs.last, pairs.label), true)


def match_loss(
    model: Any, scores: Scores, labels: LabelCode, text: TextBatch, targets: Targets, settings: Settings
) -> Tensor:
    """Cross-entropy over candidate pairs, summed over labels and averaged over candidates per label."""
    pairs, gold = match_candidates(scores, text, targets, settings.longest)
    if not len(pairs):
        return scores.start.new_zeros(())
    logits = model.match(scores, pairs, labels).float()
    each = nn.functional.binary_cross_entropy_with_logits(logits, gold.to(logits.dtype), reduction="none")
    weighted = (each * targets.weights[pairs.batch]).sum()
    return weighted * scores.start.shape[2] / max(len(pairs), scores.start.shape[2])
