"""Keep one path of a tree in a model's cache, and forget the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.models.layers import Cache


@compiled
def keep_slots(cache: Cache, stream: int, sources: NDArray[np.int32], first: int) -> None:
    """Move what a stream's cache holds in slots ``sources``, ascending, to the slots from ``first`` on.

    Keys are kept turned to their positions, so a slot moves as it is.
    """
    for layer in range(cache.keys.shape[0]):
        for head in range(cache.keys.shape[2]):
            keys, values = cache.keys[layer, stream, head], cache.values[layer, stream, head]
            for index in range(sources.size):
                source, target = sources[index], first + index
                if source == target:
                    continue
                cache.key_scales[layer, stream, head, target] = cache.key_scales[layer, stream, head, source]
                cache.value_scales[layer, stream, head, target] = cache.value_scales[layer, stream, head, source]
                for quad in range(keys.shape[1]):
                    for part in range(4):
                        keys[target // 16, quad, target % 16, part] = keys[source // 16, quad, source % 16, part]
                for block in range(values.shape[0]):
                    for column in range(16):
                        kept = values[block, source // 4, column, source % 4]
                        values[block, target // 4, column, target % 4] = kept
