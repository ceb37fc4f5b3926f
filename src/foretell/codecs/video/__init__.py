"""Lossless coding of video: planes predicted from earlier frames as well."""
