"""A quick look at whether a large graph has small separators: joining neighbours must thin it out."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretell.compilation import compiled

CLUSTER = 16
"""Items that are joined to one."""


@compiled
def contracted_edges(indptr: Any, indices: Any) -> Any:
    """Edges that are left when connected clusters of about CLUSTER items become one vertex each.

    Graphs with small separators, such as trees, lattices and points in space, keep about as many edges *per vertex*
    and so lose nearly all of them. In expanders hardly two edges fall together, and hardly one is lost.
    """
    size = indptr.size - 1
    cluster, queue = np.full(size, -1, np.int64), np.empty(CLUSTER, np.int64)
    count = 0
    for root in range(size):
        if cluster[root] >= 0:
            continue
        cluster[root] = count
        queue[0], at, filled = root, 0, 1
        while at < filled and filled < CLUSTER:
            item = queue[at]
            at += 1
            for k in range(indptr[item], indptr[item + 1]):
                if cluster[indices[k]] < 0 and filled < CLUSTER:
                    cluster[indices[k]] = count
                    queue[filled] = indices[k]
                    filled += 1
        if filled < CLUSTER // 4:
            # What others left over joins one of them.
            joined = -1
            for at in range(filled):
                for k in range(indptr[queue[at]], indptr[queue[at] + 1]):
                    if cluster[indices[k]] != count:
                        joined = cluster[indices[k]]
            if joined >= 0:
                for at in range(filled):
                    cluster[queue[at]] = joined
                continue
        count += 1
    starts = np.zeros(count + 1, np.int64)
    for item in range(size):
        starts[cluster[item] + 1] += 1
    for label in range(count):
        starts[label + 1] += starts[label]
    members, place = np.empty(size, np.int64), starts[:-1].copy()
    for item in range(size):
        members[place[cluster[item]]] = item
        place[cluster[item]] += 1
    seen = np.full(count, -1, np.int64)
    total = 0
    for label in range(count):
        seen[label] = label
        for at in range(starts[label], starts[label + 1]):
            for k in range(indptr[members[at]], indptr[members[at] + 1]):
                other = cluster[indices[k]]
                if seen[other] != label:
                    seen[other] = label
                    total += 1
    return total // 2


def thins_out(indptr: Any, indices: Any) -> bool:
    """Whether joining neighbours loses more than half of the edges."""
    return bool(2 * contracted_edges(indptr, indices) < indices.size // 2)
