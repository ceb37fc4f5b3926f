"""The byte-trie tree of a vocabulary: a token as a path of binary decisions about its bytes.

The leaves are the byte strings of the vocabulary in lexicographic order, so that all leaves that begin
with the same bytes (and bits) are a contiguous range. A node stands for such a range [lo, hi) and splits
it at ``mid``: either "does the token end here?" (a zero: leaf ``lo`` alone is left) or one bit of the next
byte, most significant first. Where all leaves of a range agree there is nothing to decide and no node.

A language model's probability of a one at a node is the mass of [mid, hi) over that of [lo, hi).

>>> tree = TokenTree.build([b"a", b"ab", b"b"])
>>> tree.arrays.mid.tolist(), tree.arrays.kind.tolist(), tree.arrays.left.tolist(), tree.arrays.right.tolist()
([2, 1], [1, 8], [1, -1], [-3, -2])
>>> frequencies = np.array([6, 1, 1], np.uint32)
>>> totals = index_frequencies(frequencies, np.zeros(frequency_blocks(3), np.int64))
>>> stretches = np.zeros(MOST_DECISIONS, np.int32)
>>> path_stretches(tree.arrays, frequencies, totals, 1, stretches), stretches[:2].tolist()
(2, [-498, -459])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.entropy.logistic import stretch_ratio

END = 8
"""Kind of the decision whether a token ends; the other kinds are bit numbers, 7 to 0."""
LONGEST_LEAF = 1024
"""Most bytes in a leaf."""
MOST_DECISIONS = 9 * LONGEST_LEAF
"""No path is longer: nine decisions a byte."""

_BLOCK_BITS = 6
_BLOCK = 1 << _BLOCK_BITS


class TreeArrays(NamedTuple):
    """What compiled code needs of a :class:`TokenTree`; N leaves, N - 1 nodes numbered in preorder.

    Attributes
    ----------
    mid : int32 (N - 1,)
        First leaf of the right-hand (one) side.
    kind : uint8 (N - 1,)
        :data:`END` or the bit number, 7 to 0.
    partial : uint8 (N - 1,)
        The bits of the byte that are known at the node, after a leading one; 0 for :data:`END`.
    depth : int32 (N - 1,)
        How many bytes of the token are known.
    left, right : int32 (N - 1,)
        The next node after a zero and after a one, or ``~leaf``.
    offsets : int32 (N + 1,)
        Where the bytes of each leaf begin in ``data``.
    data : uint8
        The bytes of all leaves.
    """

    mid: NDArray[np.int32]
    kind: NDArray[np.uint8]
    partial: NDArray[np.uint8]
    depth: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    offsets: NDArray[np.int32]
    data: NDArray[np.uint8]


@dataclass(frozen=True)
class TokenTree:
    """The tree over a sorted vocabulary; see the module's text.

    Attributes
    ----------
    leaves : int
        Number of leaves.
    arrays : TreeArrays
        The tree itself, read-only.
    """

    leaves: int
    arrays: TreeArrays

    @classmethod
    def build(cls, leaves: Sequence[bytes]) -> TokenTree:
        """Build the tree of byte strings that are sorted, distinct and not empty.

        Raises
        ------
        ValueError
            If a leaf is empty, too long, or not above the one before it.
        """
        if not leaves:
            raise ValueError("a token tree needs at least one leaf")
        if any(a >= b for a, b in pairwise(leaves)) or not leaves[0]:
            raise ValueError("leaves must be distinct, not empty, and in lexicographic order")
        lengths = np.array([len(leaf) for leaf in leaves], np.int64)
        if lengths.max() > LONGEST_LEAF:
            raise ValueError(f"a leaf of {lengths.max()} bytes is longer than {LONGEST_LEAF}")
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]).astype(np.int32)
        data = np.frombuffer(b"".join(leaves), np.uint8).copy()
        arrays = TreeArrays(*_build(offsets, data), offsets, data)
        for array in arrays:
            array.flags.writeable = False
        return cls(len(leaves), arrays)


@compiled
def _first_one(offsets: NDArray[np.int32], data: NDArray[np.uint8], lo: int, hi: int, d: int, bit: int) -> int:
    """First leaf of [lo, hi) with the bit set in byte d, by bisection."""
    while lo < hi:
        middle = (lo + hi) // 2
        if data[offsets[middle] + d] >> bit & 1:
            hi = middle
        else:
            lo = middle + 1
    return lo


@compiled
def _build(
    offsets: NDArray[np.int32], data: NDArray[np.uint8]
) -> tuple[
    NDArray[np.int32],
    NDArray[np.uint8],
    NDArray[np.uint8],
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.int32],
]:
    nodes = offsets.size - 2
    mid = np.zeros(nodes, np.int32)
    kind = np.zeros(nodes, np.uint8)
    partial = np.zeros(nodes, np.uint8)
    depth = np.zeros(nodes, np.int32)
    left = np.zeros(nodes, np.int32)
    right = np.zeros(nodes, np.int32)
    # Ranges still to split: lo, hi, byte, next decision (END or a bit), parent, whether a right child.
    stack = np.zeros((nodes + 1, 6), np.int64)
    stack[0] = np.array([0, nodes + 1, 0, END, -1, 0])
    height = 1
    node = 0
    while height:
        height -= 1
        lo, hi, d, decision, parent, is_right = stack[height]
        child = ~lo
        if hi - lo > 1:
            split = lo
            while split == lo:
                if decision == END:
                    if offsets[lo + 1] - offsets[lo] == d:
                        split = lo + 1
                    else:
                        decision = 7
                elif (data[offsets[lo] + d] ^ data[offsets[hi - 1] + d]) >> decision & 1:
                    split = _first_one(offsets, data, lo, hi, d, decision)
                elif decision:
                    decision -= 1
                else:
                    d += 1
                    decision = END
            child = node
            node += 1
            mid[child] = split
            kind[child] = decision
            partial[child] = 0 if decision == END else (data[offsets[lo] + d] | 256) >> (decision + 1)
            depth[child] = d
            after = 7 if decision == END else decision - 1
            if after < 0:
                d += 1
                after = END
            stack[height] = np.array([split, hi, d, after, child, 1])
            stack[height + 1] = np.array([lo, split, d, after, child, 0])
            height += 2
        if parent >= 0:
            if is_right:
                right[parent] = child
            else:
                left[parent] = child
    return mid, kind, partial, depth, left, right


def frequency_blocks(leaves: int) -> int:
    """Size of the array that :func:`index_frequencies` fills for so many leaves."""
    return (leaves >> _BLOCK_BITS) + 2


@compiled
def index_frequencies(frequencies: NDArray[np.uint32], totals: NDArray[np.int64]) -> NDArray[np.int64]:
    """Fill ``totals[b]`` with the sum of the frequencies before leaf 64 b; return ``totals``."""
    total = np.int64(0)
    blocks = frequencies.size >> _BLOCK_BITS
    for block in range(blocks):
        totals[block] = total
        subtotal = np.int64(0)
        for leaf in range(block << _BLOCK_BITS, (block + 1) << _BLOCK_BITS):
            subtotal += np.int64(frequencies[leaf])
        total += subtotal
    totals[blocks] = total
    for leaf in range(blocks << _BLOCK_BITS, frequencies.size):
        total += np.int64(frequencies[leaf])
    totals[blocks + 1] = total
    return totals


@compiled
def mass_before(frequencies: NDArray[np.uint32], totals: NDArray[np.int64], leaf: int) -> int:
    """Sum of the frequencies before a leaf (0 to N)."""
    block = leaf >> _BLOCK_BITS
    total: int = totals[block]
    for index in range(block << _BLOCK_BITS, leaf):
        total += np.int64(frequencies[index])
    return total


@compiled
def path_stretches(
    tree: TreeArrays,
    frequencies: NDArray[np.uint32],
    totals: NDArray[np.int64],
    leaf: int,
    out: NDArray[np.int32],
) -> int:
    """Logistic values of a frequency table at the decisions on the path to a leaf.

    Parameters
    ----------
    tree
        ``TokenTree.arrays``.
    frequencies : uint32 (N,)
        Positive masses of the leaves; any total.
    totals : int64
        Their index, from :func:`index_frequencies`.
    leaf : int
        The leaf to reach.
    out : int32
        Receives ln(P(one) / P(zero)) in 1/256 nat for each decision; :data:`MOST_DECISIONS` are enough.

    Returns
    -------
    int
        Number of decisions.
    """
    count = 0
    below = np.int64(0)
    above = mass_before(frequencies, totals, frequencies.size)
    node = np.int64(0) if frequencies.size > 1 else np.int64(-1)
    while node >= 0:
        middle = mass_before(frequencies, totals, tree.mid[node])
        out[count] = stretch_ratio(above - middle, middle - below)
        count += 1
        if leaf >= tree.mid[node]:
            below = middle
            node = np.int64(tree.right[node])
        else:
            above = middle
            node = np.int64(tree.left[node])
    return count
