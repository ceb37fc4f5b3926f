"""Online mixing of a language model's token predictions with predictors that learn from the text itself.

A token is coded as its path through the vocabulary's byte trie (:mod:`token_tree`). At each decision a
mixer combines, in the logistic domain, the language model's prediction, what followed in 21 contexts of
tokens, bytes, words, lines and digits, and what three match models expect. It starts as a fair copy of
the language model and learns after every bit how far to trust whom. All arithmetic is in integers.

A frame may be cut into lanes, parts that the model reads side by side. Each lane has its own history;
all that is learnt is shared. ``docs/token-mixing-format.md`` gives every detail.

>>> from foretell.entropy.binary import finish, new_decoder, new_encoder
>>> from foretell.entropy.token_state import new_mixer
>>> from foretell.entropy.token_tree import TokenTree, frequency_blocks, index_frequencies, path_stretches
>>> tree = TokenTree.build([b"a", b"ab", b"b"])
>>> frequencies = np.array([6, 1, 1], np.uint32)
>>> totals = index_frequencies(frequencies, np.zeros(frequency_blocks(3), np.int64))
>>> mixer, encoder, out = new_mixer(tree, 100, 1), new_encoder(), np.zeros(1000, np.uint8)
>>> stretches = np.zeros(10, np.int32)
>>> for leaf in [0, 2, 1, 0]:
...     _ = path_stretches(tree.arrays, frequencies, totals, leaf, stretches)
...     _ = encode_token(mixer, 0, leaf, stretches, encoder, out)
>>> data = out[: finish(encoder, out)]
>>> mixer, decoder = new_mixer(tree, 100, 1), new_decoder(data)
>>> [decode_token(mixer, 0, frequencies, totals, decoder, data) for _ in range(4)]
[0, 2, 1, 0]
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled, inlined, inlined_late
from foretell.entropy.binary import decode_bit, encode_bit
from foretell.entropy.logistic import STRETCH_LIMIT, squash, stretch, stretch_ratio
from foretell.entropy.token_contexts import enter_node, leave_tree, predict_contexts, update_contexts
from foretell.entropy.token_matches import predict_matches, update_matches
from foretell.entropy.token_state import (
    BIAS,
    CORRECTED,
    CORRECTION_AT,
    CORRECTIONS,
    COST,
    DECISIONS,
    FINAL_INPUTS,
    FINAL_P,
    FINAL_ROW,
    GAIN,
    HITS,
    INPUTS,
    IS_END,
    KNOTS,
    LM,
    LONGEST,
    OPINION,
    RATES,
    RECENT,
    SET_STARTS,
    SETS,
    T1,
    TokenMixer,
    hashed,
)
from foretell.entropy.token_tree import mass_before

_STEP = 192
_TOP = np.uint64(48)
_BYTE = np.uint64(255)
_0 = np.uint64(0)
_MOST_CORRECTED = 40
_LEAST_WEIGHT, _MOST_WEIGHT = np.int32(-(1 << 19)), np.int32(1 << 19)


@inlined
def _opinion_of(lm: int) -> int:
    """The LM's logistic value in nine levels, 0 (surely a zero) to 8."""
    size = abs(lm)
    level = (size > 64) + (size > 256) + (size > 640) + (size > 1200)
    return 4 + level if lm > 0 else 4 - level


@inlined_late
def _correct_lm(m: TokenMixer, lane: int, node: int, lm: int) -> None:
    """Inputs: what the LM's value has meant at this node, after this token, after these bytes."""
    place = np.uint64(node + 1)
    level = (lm + 3 * 1024) // _STEP
    part = lm + 3 * 1024 - level * _STEP
    nearest = level + (1 if part >= _STEP // 2 else 0)
    for i in range(CORRECTIONS):
        if i == 0:
            h = hashed(place, _0)
        elif i == 1:
            h = hashed(m.hashes[lane, T1], place)
        else:
            h = hashed(m.bases[6], np.uint64(m.tree.partial[node]))
        row = np.int64(h >> _TOP)
        low = np.int64(m.corrections[i, row, level] >> 16)
        high = np.int64(m.corrections[i, row, level + 1] >> 16)
        m.registers[CORRECTION_AT + i] = row * KNOTS + nearest
        m.inputs[CORRECTED + i] = stretch((low * (_STEP - part) + high * part) // _STEP)


@inlined_late
def _choose_sets(m: TokenMixer, lane: int, node: int) -> None:
    """Choose a row of weights in each set, and for the final layer."""
    kind = np.int64(m.tree.kind[node])
    where = m.registers[IS_END] if m.tree.depth[node] else 2
    last = np.int64(m.hashes[lane, RECENT] & _BYTE)
    longest = m.registers[LONGEST]
    hits = m.registers[HITS]
    cost = min(m.numbers[lane, COST] >> 14, 7)
    gain = min(max((m.numbers[lane, GAIN] >> 12) + 8, 0), 15) >> 2
    sets = m.sets
    sets[0] = 0
    sets[1] = SET_STARTS[1] + min(longest >> 2, 7) * 3 + where
    sets[2] = SET_STARTS[2] + m.registers[OPINION] * 3 + where
    sets[3] = SET_STARTS[3] + kind
    sets[4] = SET_STARTS[4] + (hits >> 3) * 3 + where
    sets[5] = SET_STARTS[5] + (hits & 7) * 3 + where
    sets[6] = SET_STARTS[6] + (last >> 5) * 3 + where
    sets[7] = SET_STARTS[7] + cost * 4 + gain
    m.registers[FINAL_ROW] = min(longest >> 3, 3) * 3 + where


@inlined
def _limited(total: int) -> int:
    """A weighted sum as a logistic value."""
    return min(max((total + (1 << 15)) >> 16, -STRETCH_LIMIT), STRETCH_LIMIT)


@inlined_late
def _mix(m: TokenMixer, lm: int) -> int:
    """Logistic value of the two layers' prediction."""
    for k in range(SETS):
        row = m.sets[k]
        # |weight| <= 2**19 and |input| <= 3071: products and the sum of their 64ths fit 32 bits.
        sum_32 = np.int32(0)
        for j in range(INPUTS):
            product = np.int32(m.weights[row, j] * m.inputs[j])
            sum_32 = np.int32(sum_32 + np.int32(product >> np.int32(6)))
        mixed = _limited(np.int64(sum_32) << 6)
        m.outputs[k] = squash(mixed)
        m.final_inputs[k] = mixed
    m.final_inputs[SETS] = lm
    m.final_inputs[SETS + 1] = 256
    row = m.registers[FINAL_ROW]
    total = np.int64(0)
    for k in range(FINAL_INPUTS):
        total += np.int64(m.final_weights[row, k]) * np.int64(m.final_inputs[k])
    return _limited(total)


@inlined_late
def _predict(m: TokenMixer, lane: int, node: int, lm: int) -> int:
    """Probability (16 bits) of a one at a node that :func:`enter_node` has entered."""
    m.registers[OPINION] = _opinion_of(lm)
    m.inputs[BIAS] = 256
    m.inputs[LM] = lm
    predict_contexts(m, node)
    predict_matches(m, lane, node)
    _correct_lm(m, lane, node, lm)
    _choose_sets(m, lane, node)
    p: int = np.int64(squash(_mix(m, lm)))
    m.registers[FINAL_P] = p
    return p


@inlined_late
def _update_mixer(m: TokenMixer, bit: int) -> None:
    """Move the weights that were used along the gradient of the bit's cost."""
    rate = 16 + 40960 // (m.registers[DECISIONS] + 1024)
    m.registers[DECISIONS] += 1
    for k in range(SETS):
        row = m.sets[k]
        # |input| <= 3071 and |error| <= 65535 * 56 / 16, so that products fit 32 bits.
        error = np.int32((((bit << 16) - np.int64(m.outputs[k])) * rate) >> 4)
        for j in range(INPUTS):
            product = np.int32(np.int32(m.inputs[j]) * error)
            step = np.int32(np.int32(product + np.int32(1 << 16)) >> np.int32(17))
            weight = np.int32(m.weights[row, j] + step)
            m.weights[row, j] = min(max(weight, _LEAST_WEIGHT), _MOST_WEIGHT)
    error = ((bit << 16) - m.registers[FINAL_P]) * 4
    row = m.registers[FINAL_ROW]
    for k in range(FINAL_INPUTS):
        step = (np.int64(m.final_inputs[k]) * error + (1 << 20)) >> 21
        m.final_weights[row, k] = min(max(m.final_weights[row, k] + step, _LEAST_WEIGHT), _MOST_WEIGHT)


@inlined_late
def _update(m: TokenMixer, lane: int, lm: int, p: int, bit: int) -> None:
    """Learn from a decision that was predicted with probability p."""
    update_contexts(m, bit)
    update_matches(m, bit)
    _update_mixer(m, bit)
    target = 65535 if bit else 0
    for i in range(CORRECTIONS):
        at = m.registers[CORRECTION_AT + i]
        row = at // KNOTS
        entry = m.corrections[i, row, at - row * KNOTS]
        count = np.int64(entry & 255)
        q = np.int64(entry >> 16)
        q += ((target - q) * RATES[count]) >> 16
        m.corrections[i, row, at - row * KNOTS] = (min(max(q, 16), 65519) << 16) | min(count + 1, _MOST_CORRECTED)
    # How far the LM and the mixture have lately been from the truth, for the choice of weights.
    numbers = m.numbers[lane]
    q = np.int64(squash(lm))
    by_lm = (65536 - q if bit else q) >> 4
    by_mixture = (65536 - p if bit else p) >> 4
    numbers[COST] += (by_lm * 64 - numbers[COST]) >> 6
    numbers[GAIN] += ((by_lm - by_mixture) * 64 - numbers[GAIN]) >> 6


@compiled
def encode_token(
    mixer: TokenMixer,
    lane: int,
    leaf: int,
    lm_stretches: NDArray[np.int32],
    encoder: NDArray[np.uint64],
    out: NDArray[np.uint8],
) -> int:
    """Code one token.

    Parameters
    ----------
    mixer
        From ``token_state.new_mixer``; changed in place.
    lane
        Whose next token this is (0 to lanes - 1).
    leaf
        The token, as the number of its leaf.
    lm_stretches : int32
        The language model's logistic values on the path, from ``token_tree.path_stretches``.
    encoder, out
        State of the arithmetic coder and its output, with room for two bytes a decision and 16 more.

    Returns
    -------
    int
        Number of decisions coded.
    """
    node = np.int64(0) if mixer.tree.mid.size else np.int64(-1)
    below = np.int64(0)
    known = np.int64(0)
    key = np.int64(-1)
    count = 0
    while node >= 0:
        known, key = enter_node(mixer, lane, node, below, known, key)
        lm = np.int64(lm_stretches[count])
        p = _predict(mixer, lane, node, lm)
        bit = 1 if leaf >= mixer.tree.mid[node] else 0
        encode_bit(encoder, out, bit, p)
        _update(mixer, lane, lm, p, bit)
        count += 1
        if bit:
            below = np.int64(mixer.tree.mid[node])
            node = np.int64(mixer.tree.right[node])
        else:
            node = np.int64(mixer.tree.left[node])
    leave_tree(mixer, lane, leaf, known)
    return count


@compiled
def decode_token(
    mixer: TokenMixer,
    lane: int,
    frequencies: NDArray[np.uint32],
    totals: NDArray[np.int64],
    decoder: NDArray[np.uint64],
    data: NDArray[np.uint8],
) -> int:
    """Decode one token; ``frequencies`` and ``totals`` as for ``path_stretches``, the rest as above.

    Returns
    -------
    int
        The leaf. Whatever ``data`` holds, some leaf is returned.
    """
    node = np.int64(0) if mixer.tree.mid.size else np.int64(-1)
    below = np.int64(0)
    known = np.int64(0)
    key = np.int64(-1)
    mass_below = np.int64(0)
    mass_above = mass_before(frequencies, totals, frequencies.size)
    while node >= 0:
        known, key = enter_node(mixer, lane, node, below, known, key)
        middle = mass_before(frequencies, totals, mixer.tree.mid[node])
        lm = np.int64(stretch_ratio(mass_above - middle, middle - mass_below))
        p = _predict(mixer, lane, node, lm)
        bit = decode_bit(decoder, data, p)
        _update(mixer, lane, lm, p, bit)
        if bit:
            below = np.int64(mixer.tree.mid[node])
            mass_below = middle
            node = np.int64(mixer.tree.right[node])
        else:
            mass_above = middle
            node = np.int64(mixer.tree.left[node])
    leave_tree(mixer, lane, below, known)
    decoded: int = below
    return decoded
