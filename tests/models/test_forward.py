"""The whole forward pass: equal to the oracle, whatever the batch, the chunks, the threads and the trees."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from models.tiny import feed, some_tokens, tiny
from numpy.typing import NDArray

from foretell.exact.reference import ReferenceDecoder, forward_reference
from foretell.exact.threads import set_thread_count
from foretell.exact.transform import rotate_weights
from foretell.models.decoder import Decoder

KINDS = ("llama", "gemma")


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    set_thread_count(1)
    yield
    set_thread_count(0)


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> Decoder:
    return tiny(request.param)


def int32(*values: int) -> NDArray[np.int32]:
    return np.array(values, np.int32)


def test_the_forward_pass_equals_the_oracle(model: Decoder) -> None:
    tokens = some_tokens(model, 70)
    assert np.array_equal(feed(model, tokens), forward_reference(model, tokens))


@pytest.mark.parametrize("chunk", [1, 7, 50])
def test_chunks_do_not_matter(model: Decoder, chunk: int) -> None:
    tokens = some_tokens(model, 100)
    assert np.array_equal(feed(model, tokens, chunk), feed(model, tokens))


def test_threads_do_not_matter(model: Decoder) -> None:
    tokens = some_tokens(model, 150)
    expected = feed(model, tokens)
    for threads in (2, 3):
        set_thread_count(threads)
        assert np.array_equal(feed(model, tokens), expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_neighbours_in_a_batch_do_not_matter(model: Decoder, threads: int) -> None:
    alone = [some_tokens(model, 40, seed) for seed in range(5)]
    expected = [feed(model, tokens) for tokens in alone]
    set_thread_count(threads)
    for order in ([0, 1, 2, 3, 4], [3, 0, 4, 2, 1]):
        cache = model.new_cache(5, 40)
        for begin, end in ((0, 1), (1, 30), (30, 40)):
            rows = np.concatenate([alone[i][begin:end] for i in order])
            streams = np.repeat(np.array(order, np.int32), end - begin)
            slots = np.tile(np.arange(begin, end, dtype=np.int32), 5)
            found = model.frequencies(model.forward(rows, streams, slots, cache))
            for place, i in enumerate(order):
                part = found[place * (end - begin) : (place + 1) * (end - begin)]
                assert np.array_equal(part, expected[i][begin:end])


def test_what_a_cache_held_before_does_not_matter(model: Decoder) -> None:
    tokens = some_tokens(model, 30)
    cache = model.new_cache(1, 64)
    slots = np.arange(64, dtype=np.int32)
    model.forward(some_tokens(model, 64, 99), np.zeros(64, np.int32), slots, cache)
    found = model.frequencies(model.forward(tokens, np.zeros(30, np.int32), slots[:30], cache))
    assert np.array_equal(found, feed(model, tokens))


def tree_of(parents: list[int], base: int) -> tuple[NDArray[np.int32], NDArray[np.bool_], list[list[int]]]:
    """Positions, mask and paths of a tree whose nodes come after their parents (-1: the root's)."""
    paths: list[list[int]] = []
    for node, parent in enumerate(parents):
        paths.append([*(paths[parent] if parent >= 0 else []), node])
    visible = np.zeros((len(parents), len(parents)), np.bool_)
    for node, path in enumerate(paths):
        visible[node, path] = True
    return np.array([base + len(path) - 1 for path in paths], np.int32), visible, paths


@pytest.mark.parametrize("before", [5, 40])
def test_a_tree_equals_its_paths_one_by_one(model: Decoder, before: int) -> None:
    # 40 tokens before the tree are more than Gemma's window, and the tree is wider than what is left of it.
    parents = [-1, -1, 0, 0, 1, 2, 5, 6, 3, -1, 9, 10, 4, 7, 13, -1, 15, 16, 17, 18, 14, 20, 21, 22, 19, 0, 25]
    positions, visible, paths = tree_of(parents, before)
    prompt, nodes = some_tokens(model, before), some_tokens(model, len(parents) + 1, 3)[1:]
    count = len(parents)
    for decoder in (model, ReferenceDecoder(model)):
        cache = decoder.new_cache(1, before + count)
        zeros = np.zeros(before + count, np.int32)
        decoder.forward(prompt, zeros[:before], np.arange(before, dtype=np.int32), cache)
        slots = np.arange(before, before + count, dtype=np.int32)
        base = np.full(count, before, np.int32)
        states = decoder.forward(nodes, zeros[:count], slots, cache, positions, (base, visible))
        found = decoder.frequencies(states)
        for node, path in enumerate(paths):
            alone = feed(model, np.concatenate([prompt, nodes[path]]))
            assert np.array_equal(found[node], alone[-1]), node


def test_trees_of_several_streams(model: Decoder) -> None:
    parents, before = [-1, -1, 0, 1, 2], 6
    positions, visible, paths = tree_of(parents, before)
    prompts = [some_tokens(model, before, seed) for seed in (1, 2, 3)]
    nodes = some_tokens(model, 6, 11)[1:]
    cache = model.new_cache(3, before + 5)
    streams = np.repeat(int32(0, 1, 2), before)
    model.forward(np.concatenate(prompts), streams, np.tile(np.arange(before, dtype=np.int32), 3), cache)
    slots = np.tile(np.arange(before, before + 5, dtype=np.int32), 3)
    tree = (np.full(15, before, np.int32), np.tile(visible, (3, 1)))
    streams = np.repeat(int32(0, 1, 2), 5)
    found = model.frequencies(model.forward(np.tile(nodes, 3), streams, slots, cache, np.tile(positions, 3), tree))
    for stream in range(3):
        for node, path in enumerate(paths):
            alone = feed(model, np.concatenate([prompts[stream], nodes[path]]))
            assert np.array_equal(found[stream * 5 + node], alone[-1])


def test_logits_spread_enough_to_be_a_test(model: Decoder) -> None:
    frequencies = feed(model, some_tokens(model, 20))
    assert frequencies.shape == (20, model.tokens)
    assert (frequencies[:, model.vocabulary.unspelled] == 1).all()
    assert np.median(np.ptp(np.log2(frequencies), axis=1)) > 4
    assert len({row.tobytes() for row in frequencies}) == 20


@pytest.mark.parametrize("rows", [1, 5, 30, 70])
def test_taps_take_what_layers_give(model: Decoder, rows: int) -> None:
    """The last layer's output, normed, is the final state; a tap changes nothing; threads do not matter."""
    tokens, last = some_tokens(model, 80), model.config.layers - 1
    zeros, slots = np.zeros(80, np.int32), np.arange(80, dtype=np.int32)
    found = []
    for threads in (1, 2):
        set_thread_count(threads)
        cache, taps = model.new_cache(1, 80), model.new_taps((last, 0), rows)
        model.forward(tokens[: 80 - rows], zeros[: 80 - rows], slots[: 80 - rows], cache)
        part = slice(80 - rows, 80)
        states = model.forward(tokens[part], zeros[part], slots[part], cache, taps=taps)
        normed = taps.values[0] / np.sqrt((taps.values[0] ** 2).mean(axis=1, keepdims=True)) * model.final_norm
        block = model.shape.width_block
        rotated = rotate_weights(normed, block) * block
        assert np.allclose(states.integers * states.scales[:, None], rotated, atol=0.02 * np.abs(rotated).max())
        found.append((taps.values.tobytes(), states.integers.tobytes()))
    assert found[0] == found[1]
    assert not np.array_equal(taps.values[0], taps.values[1])
