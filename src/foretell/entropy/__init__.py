"""Entropy coding: logistic arithmetic, binary arithmetic coding, mixing, context models."""
