"""Bit-exact arithmetic, the numeric contract ``exact-1``: every number that reaches a coder is made here.

The contract allows integer operations that do not overflow, products of small-integer matrices with
exact sums, and single IEEE-754 operations, elementwise and without contraction. What is built from
these gives the same bits on every machine, in every batch and in every order of evaluation.
"""

CONTRACT = "exact-1"
CONTRACT_ID = 1
