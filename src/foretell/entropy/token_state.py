"""State of the token mixer: every table and register that the two directions change alike.

Compiled functions take the whole state, a named tuple of arrays. A call with it costs some tens of
nanoseconds, so what runs in an inner loop is given just the arrays that it needs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import inlined
from foretell.entropy.logistic import squash, stretch
from foretell.entropy.token_tree import TokenTree, TreeArrays
from foretell.pages import aligned_zeros

TOKEN_CONTEXTS = 6
"""The first contexts are the token orders 0 to 5; next come byte orders 3, 4, 6 and 9."""
BYTE_CONTEXTS = 4
CONTEXTS = 21
MATCHES = 3
CORRECTIONS = 3

BIAS, LM, FOLLOWED = 0, 1, 2
"""Where the mixer's inputs begin: a constant, the LM, what followed in each context, matches, corrected LM."""
MATCHED = FOLLOWED + CONTEXTS
CORRECTED = MATCHED + 2 * MATCHES
INPUTS = CORRECTED + CORRECTIONS
"""Number of inputs; 32, so that rows are whole vectors."""

SET_SIZES = (1, 24, 27, 9, 15, 18, 24, 32)
"""Weight rows of each set of the first layer."""
SETS = len(SET_SIZES)
SET_STARTS = np.cumsum(np.array((0, *SET_SIZES), np.int64))
FINAL_ROWS = 12
FINAL_INPUTS = SETS + 2

EXACT = 128
"""Bit histories below this are exact: up to six bits after a leading one."""
HISTORIES = EXACT + 64 * 4
OPINIONS = 9
MATCH_STATES = 32 * 4
KNOTS = 33
"""Points of an interpolated map over the logistic domain, 192 apart."""
ROWS_16 = 1 << 16

# Integers of a lane.
POSITION, LINE, ABOVE, FIELD, INDENT, COST, GAIN, POINTER = range(8)
LENGTH = POINTER + MATCHES
MISSES = LENGTH + MATCHES
LANE_NUMBERS = MISSES + MATCHES
# Hashes and packed bytes of a lane.
RECENT, OLDER, WORD, WORD1, WORD2, MASKED, SKELETON, FIRST, FIELD_HASH, T1, T2, T3, T4, T5 = range(14)
LANE_HASHES = 14
# Registers: what the update needs of the prediction, and a few counts.
IS_END, FINAL_P, FINAL_ROW, HITS, LONGEST, EXPECTED, OPINION, DECISIONS, RING_BITS, TOUCHED = range(10)
CORRECTION_AT = 10
REGISTERS = CORRECTION_AT + CORRECTIONS

WRITTEN, STARTS = 256, 512
"""Flags of a byte in the history: it exists; a token starts here."""

# The means of what nine files of prose, code, logs and mark-up had taught the weights in the end.
# fmt: off
_FIRST_WEIGHTS = (
    4636, 28387, 2020, 2373, 3176, -440, 2652, 2352, 2691, 1980, 90, 557,
    2001, 2499, 3254, 728, 2489, 3570, 4199, -569, 2198, 4886, 5758, 2168,
    -4924, 198, -1044, 2725, 1312, 16292, 11057, 8322,
)
_FINAL_WEIGHTS = (7933, 7523, 7704, 7912, 7618, 7669, 8144, 8352, -281, 23)
# fmt: on


class TokenMixer(NamedTuple):
    """The predictors of one frame, made by :func:`new_mixer`; shapes are given in its text.

    Attributes
    ----------
    tree
        The vocabulary's tree.
    slots
        Per context, 16-bit probability, 8-bit bit history and 8-bit check in hashed places.
    history_maps
        Probability of a one given a bit history and whether a token may end.
    match_maps, match_joint_maps
        Probability that a match is right given its length and misses, and whether a token may end; or the LM's opinion.
    corrections
        Probability (16 bits) and count (8 bits) given the LM's logistic value, per hashed row.
    weights, final_weights
        Weights of the two layers, 16.16 fixed point.
    text
        History of each lane: byte and flags, in a ring.
    match_tables
        Place after the last occurrence of a hashed string in the text, plus one.
    followers, pair_followers, token_followers
        What followed a byte, two bytes, a token (hashed).
    numbers, hashes
        Where each lane is.
    bases, lines, checks, found, mapped, inputs, sets, outputs, final_inputs, match_found, registers
        Between the prediction of a decision and its update.
    """

    tree: TreeArrays
    slots: NDArray[np.uint32]
    history_maps: NDArray[np.uint16]
    match_maps: NDArray[np.uint16]
    match_joint_maps: NDArray[np.uint16]
    corrections: NDArray[np.uint32]
    weights: NDArray[np.int32]
    final_weights: NDArray[np.int32]
    text: NDArray[np.uint16]
    match_tables: NDArray[np.int32]
    followers: NDArray[np.uint32]
    pair_followers: NDArray[np.uint32]
    token_followers: NDArray[np.uint32]
    numbers: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    bases: NDArray[np.uint64]
    lines: NDArray[np.int64]
    checks: NDArray[np.uint32]
    found: NDArray[np.int64]
    mapped: NDArray[np.int64]
    inputs: NDArray[np.int32]
    sets: NDArray[np.int64]
    outputs: NDArray[np.int32]
    final_inputs: NDArray[np.int32]
    match_found: NDArray[np.int64]
    registers: NDArray[np.int64]


def _bits_for(count: int, least: int, most: int) -> int:
    return min(max((count - 1).bit_length(), least), most)


def new_mixer(tree: TokenTree, tokens_per_lane: int, lanes: int) -> TokenMixer:
    """State for a frame of about ``tokens_per_lane`` tokens in each of its lanes.

    More tokens are coded all the same, with less memory of the past. The state takes 37 MB for a
    short frame and about 140 MB from 65,536 tokens on.

    Raises
    ------
    ValueError
        If there is no lane or there are more than 256, or the number of tokens is negative.
    """
    if not 0 < lanes <= 256 or tokens_per_lane < 0:
        raise ValueError(f"cannot mix {tokens_per_lane} tokens in {lanes} lanes")
    total = tokens_per_lane * lanes
    ring_bits = _bits_for(6 * tokens_per_lane, 12, 22)
    curve = np.array([squash((knot - 16) * 192) for knot in range(KNOTS)], np.uint16)
    match_maps = _new_match_maps()
    weights = np.tile(np.array(_FIRST_WEIGHTS, np.int32), (SET_STARTS[-1], 1))
    final_weights = np.tile(np.array(_FINAL_WEIGHTS, np.int32), (FINAL_ROWS, 1))
    numbers = np.zeros((lanes, LANE_NUMBERS), np.int64)
    numbers[:, POINTER:LENGTH] = -1
    registers = np.zeros(REGISTERS, np.int64)
    registers[RING_BITS] = ring_bits
    return TokenMixer(
        tree=tree.arrays,
        slots=aligned_zeros((CONTEXTS, 16 << _bits_for(total, 9, 16)), np.uint32),
        history_maps=_new_history_maps(),
        match_maps=match_maps,
        match_joint_maps=_new_match_joint_maps(match_maps[0, 0]),
        corrections=np.full((CORRECTIONS, ROWS_16, KNOTS), (curve.astype(np.uint32) << 16) | 6, np.uint32),
        weights=weights,
        final_weights=final_weights,
        text=np.zeros((lanes, 1 << ring_bits), np.uint16),
        match_tables=np.zeros((MATCHES, 1 << _bits_for(4 * total, 10, 20)), np.int32),
        followers=np.zeros(256, np.uint32),
        pair_followers=np.zeros(ROWS_16, np.uint32),
        token_followers=np.zeros(ROWS_16, np.uint32),
        numbers=numbers,
        hashes=np.zeros((lanes, LANE_HASHES), np.uint64),
        bases=np.zeros(CONTEXTS, np.uint64),
        lines=np.zeros(CONTEXTS, np.int64),
        checks=np.zeros(CONTEXTS, np.uint32),
        found=np.zeros(CONTEXTS, np.int64),
        mapped=np.zeros(CONTEXTS, np.int64),
        inputs=np.zeros(INPUTS, np.int32),
        sets=np.zeros(SETS, np.int64),
        outputs=np.zeros(SETS, np.int32),
        final_inputs=np.zeros(FINAL_INPUTS, np.int32),
        match_found=np.full(MATCHES, -1, np.int64),
        registers=registers,
    )


def _new_history_maps() -> NDArray[np.uint16]:
    """(contexts, 2, histories): (ones + 1/2) / (bits + 1), or the quantised probability itself."""
    maps = np.zeros((CONTEXTS, 2, HISTORIES), np.uint16)
    for history in range(1, EXACT):
        bits, ones = history.bit_length() - 1, history.bit_count() - 1
        maps[:, :, history] = 65536 * (2 * ones + 1) // (2 * bits + 2)
    for level in range(64):
        maps[:, :, EXACT + 4 * level : EXACT + 4 * level + 4] = squash((level - 32) * 96 + 48)
    maps[:, :, 0] = 1 << 15
    return maps


def _new_match_maps() -> NDArray[np.uint16]:
    """(matches, 2, states): a logistic value that grows with the length of the match."""
    maps = np.zeros((MATCHES, 2, MATCH_STATES), np.uint16)
    for state in range(MATCH_STATES):
        maps[:, :, state] = squash(min(64 * (state >> 2), 1400))
    return maps


def _new_match_joint_maps(start: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """(matches, opinions, states): the start of ``match_maps``, moved by 240 for each level of the LM's opinion."""
    maps = np.zeros((MATCHES, OPINIONS, start.size), np.uint16)
    for opinion in range(OPINIONS):
        for state in range(start.size):
            maps[:, opinion, state] = squash(int(stretch(int(start[state]))) + (opinion - 4) * 240)
    return maps


_HASH_1 = np.uint64(0x9E3779B97F4A7C15)
_HASH_2 = np.uint64(0xD6E8FEB86659FD93)
_HASH_SHIFT = np.uint64(29)


@inlined
def hashed(a: np.uint64, b: np.uint64) -> np.uint64:
    """Hash of an ordered pair, modulo 2**64."""
    h: np.uint64 = (a + _HASH_1) * _HASH_2 ^ (b + _HASH_2) * _HASH_1
    h = (h ^ (h >> _HASH_SHIFT)) * _HASH_1
    return h


def _adaptation_rates() -> NDArray[np.int64]:
    return np.array([655360 // (10 * count + 16) for count in range(64)], np.int64)


RATES = _adaptation_rates()
"""Rate of adaptation, in 1/65536, of a probability that has been adapted so many times."""


@inlined
def nudge(table: NDArray[np.uint16], index: int, bit: int) -> None:
    """Move a probability 1/64 of the way to a bit, within [16, 65519]."""
    p = np.int64(table[index])
    if bit:
        p += (65535 - p + 63) >> 6
    else:
        p -= p >> 6
    table[index] = min(max(p, 16), 65519)
