"""The byte-trie tree: paths decode to their leaves, ranges are contiguous, masses are exact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.entropy.logistic import stretch_ratio
from foretell.entropy.token_tree import (
    END,
    LONGEST_LEAF,
    MOST_DECISIONS,
    TokenTree,
    frequency_blocks,
    index_frequencies,
    mass_before,
    path_stretches,
)

few_bytes = st.binary(min_size=1, max_size=5).map(lambda raw: bytes(b"a\x00\xffb"[x & 3] for x in raw))
vocabularies = st.sets(few_bytes | st.binary(min_size=1, max_size=4), min_size=1, max_size=200).map(sorted)


def walk(tree: TokenTree, leaf: int) -> list[tuple[int, int, int, int]]:
    """Node, lo, hi, bit of every decision on the path to a leaf."""
    node, lo, hi = (0 if tree.leaves > 1 else -1), 0, tree.leaves
    path = []
    while node >= 0:
        middle = int(tree.arrays.mid[node])
        assert lo < middle < hi
        bit = int(leaf >= middle)
        path.append((node, lo, hi, bit))
        lo, hi = (middle, hi) if bit else (lo, middle)
        node = int((tree.arrays.right if bit else tree.arrays.left)[node])
    assert ~node == leaf
    assert (lo, hi) == (leaf, leaf + 1)
    return path


@given(vocabularies)
@settings(max_examples=60, deadline=None)
def test_paths_spell_their_leaves(leaves: list[bytes]) -> None:
    tree = TokenTree.build(leaves)
    assert tree.arrays.mid.size == len(leaves) - 1
    seen = set()
    for leaf, text in enumerate(leaves):
        for node, lo, hi, bit in walk(tree, leaf):
            seen.add(node)
            kind, depth = int(tree.arrays.kind[node]), int(tree.arrays.depth[node])
            assert all(other[:depth] == text[:depth] for other in leaves[lo:hi])
            if kind == END:
                assert bit == (len(text) > depth)
                assert len(leaves[lo]) == depth
                assert tree.arrays.partial[node] == 0
            else:
                assert bit == text[depth] >> kind & 1
                assert tree.arrays.partial[node] == (text[depth] | 256) >> (kind + 1)
    assert seen == set(range(len(leaves) - 1))


@given(vocabularies, st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_path_stretches_equal_a_cumulative_sum(leaves: list[bytes], seed: int) -> None:
    tree = TokenTree.build(leaves)
    rng = np.random.default_rng(seed)
    frequencies = np.exp(rng.uniform(0, 22, len(leaves))).astype(np.uint32)
    cumulative = [0, *np.cumsum(frequencies.astype(np.uint64)).tolist()]
    totals = index_frequencies(frequencies, np.zeros(frequency_blocks(len(leaves)), np.int64))
    out = np.zeros(MOST_DECISIONS, np.int32)
    for leaf in range(len(leaves)):
        assert mass_before(frequencies, totals, leaf) == cumulative[leaf]
        path = walk(tree, leaf)
        assert path_stretches(tree.arrays, frequencies, totals, leaf, out) == len(path)
        for position, (node, lo, hi, _) in enumerate(path):
            middle = int(tree.arrays.mid[node])
            ones, zeros = cumulative[hi] - cumulative[middle], cumulative[middle] - cumulative[lo]
            assert out[position] == stretch_ratio(ones, zeros)


def test_a_large_vocabulary_and_long_leaves() -> None:
    rng = np.random.default_rng(5)
    leaves = {rng.integers(97, 101, rng.integers(1, 14), np.uint8).tobytes() for _ in range(20000)}
    leaves |= {b"x" * length for length in range(1, LONGEST_LEAF + 1)}
    tree = TokenTree.build(sorted(leaves))
    for leaf in range(0, tree.leaves, 997):
        walk(tree, leaf)
    assert len(walk(tree, tree.leaves - 1)) <= MOST_DECISIONS


@pytest.mark.parametrize("leaves", [[], [b""], [b"b", b"a"], [b"a", b"a"], [b"a" * (LONGEST_LEAF + 1)]], ids=repr)
def test_bad_vocabularies_are_refused(leaves: list[bytes]) -> None:
    with pytest.raises(ValueError, match="lea"):
        TokenTree.build(leaves)


def test_the_tree_cannot_be_changed() -> None:
    tree = TokenTree.build([b"a", b"b"])
    with pytest.raises(ValueError, match="read-only"):
        tree.arrays.mid[0] = 0
