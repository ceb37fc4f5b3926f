"""Lossless coding of pictures: planes of samples, and the files that hold them."""
