"""The ``.fore`` container: records, checksums, index, packing, unpacking and seeking."""
