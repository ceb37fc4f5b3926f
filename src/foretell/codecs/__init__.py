"""Codecs: one file per kind of data, the statistics that tell them apart, and the choice between them."""
