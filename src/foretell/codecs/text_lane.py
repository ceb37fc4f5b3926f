"""Unpacking a section that is a single lane: it cannot be batched, but drafts let a pass give several tokens.

Arithmetic decoding chooses the next token where generation would: at each node of a drafted tree the
decoder says which token comes, and the walk goes on as long as that token was drafted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.text_kernels import decode_from_sums
from foretell.drafts.speculation import Choice
from foretell.entropy.token_state import TokenMixer
from foretell.entropy.token_tree import frequency_blocks
from foretell.models.decoder import Decoder


class LaneDecoder:
    """Decodes the tokens of lane 0 of a frame, one for each call.

    Parameters
    ----------
    left : int
        How many tokens there are.
    """

    def __init__(
        self,
        model: Decoder,
        mixer: TokenMixer,
        decoder: NDArray[np.uint64],
        data: NDArray[np.uint8],
        left: int,
    ) -> None:
        self._state = (decoder, data)
        self._mixer = mixer
        self._head = (model.head_scale, model.vocabulary.unspelled)
        self._frequencies = np.empty(model.tokens, np.uint32)
        self._totals = np.empty(frequency_blocks(model.tokens), np.int64)
        self.left = left

    def __call__(self, stream: int, sums: NDArray[np.int32], scale: np.float32) -> Choice:
        """Next token, from the head's integer sums; see :class:`foretell.drafts.speculation.Chooser`."""
        room = (self._frequencies, self._totals)
        token = decode_from_sums(self._mixer, sums, scale, *self._head, *room, *self._state)
        self.left -= 1
        return Choice(token, self.left > 0)
