"""The tree hash of a checkpoint: one number for all that it holds.

    leaves   each entry's name, dtype, shape, slices, size and the checksum of its bytes, which the index has anyway
    root     SHA-256 over the leaves in the order of their names

It stands in the index's header, in a field that TensorFlow passes over, and depends on the values alone, not on where
in which file they are. So two checkpoints of equal states have equal hashes; and an entry that is lost, or comes from
another checkpoint with a good checksum of its own, is noticed.
"""

import hashlib
from collections.abc import Mapping
from typing import Any


def tree_hash(entries: Mapping[bytes, Any]) -> bytes:
    """Computes the tree hash.

    Args:
        entries: The table of an index without its header: key -> BundleEntryProto.

    Returns:
        32 bytes.
    """
    root = hashlib.sha256()
    for key in sorted(entries):
        entry = entries[key]
        shape = [dim.size for dim in entry.shape.dim]
        slices = [[(extent.start, extent.length) for extent in part.extent] for part in entry.slices]
        leaf = repr((key, entry.dtype, shape, slices, entry.size, entry.crc32c))
        root.update(f"{len(leaf)} {leaf}".encode())
    return root.digest()
