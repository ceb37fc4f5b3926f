"""Speculative decoding: cheap drafts of the next tokens, and one pass of the target that checks them all.

A draft never changes what comes out. At every node of a tree of drafted tokens the next token is
chosen as it would be without a draft; where a drafted child is that token, its own successor is known from
the same pass.
"""
