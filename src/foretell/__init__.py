"""foretell: what a model can foretell need not be stored."""

__version__ = "0.1.0.dev0"
