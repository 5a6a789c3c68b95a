"""Putting checkpoints together whose parts were saved each in a place of its own, as sharded savers do."""

import contextlib
import os
from collections.abc import Sequence
from typing import Any

from monitored import errors
from monitored._checkpoint.bundle import HEADER_KEY, VERSION, Path, data_path, index_path, shape_of
from monitored._checkpoint.coding import data_loss
from monitored._checkpoint.files import os_errors_as_tf, publish, replace_file, temporary_name
from monitored._checkpoint.protos import message_class, parse_message
from monitored._checkpoint.table import decode_table, encode_table
from monitored._checkpoint.tree_hash import tree_hash


def merge_checkpoints(prefixes: Sequence[Path], destination: Path, delete_old_dirs: bool = True) -> None:
    """Makes one checkpoint of several; their data files become its own.

    Args:
        prefixes: The parts, paths without `.index`; a tensor is in one of them, or has slices in several.
        destination: The checkpoint to make, a path without `.index`.
        delete_old_dirs: Whether directories are removed that held nothing but parts.

    Raises:
        NotFoundError: There is no such part.
        DataLossError: A part's index is damaged.
        InvalidArgumentError: A tensor is in two parts, or slices in two parts are of different tensors.
        OpError: The files could not be read or moved. The parts are as they were.
    """
    parts, target = [os.fspath(prefix) for prefix in prefixes], os.fspath(destination)
    entries: dict[bytes, Any] = {}
    moves: list[str] = []  # the parts' data files, in the order of the new shards
    for prefix in parts:
        table, index = _table_of(prefix), index_path(prefix)
        count = parse_message("BundleHeaderProto", table.pop(HEADER_KEY, b""), index).num_shards
        for key, encoded in table.items():
            entry = parse_message("BundleEntryProto", encoded, index)
            if not 0 <= entry.shard_id < count:
                raise data_loss(index, f"{key!r} is in shard {entry.shard_id} of {count}")
            entry.shard_id += len(moves)
            known = entries.setdefault(key, entry)
            if known is entry:
                continue
            if not (
                known.slices and entry.slices and known.dtype == entry.dtype and shape_of(known) == shape_of(entry)
            ):
                raise errors.InvalidArgumentError(None, None, f"{key!r} is in two of the checkpoints to be merged")
            known.slices.extend(entry.slices)
        moves += [data_path(prefix, shard, count) for shard in range(count)]
    header = message_class("BundleHeaderProto")(num_shards=len(moves), tree_hash=tree_hash(entries))
    header.version.producer = VERSION
    merged = [(key, entries[key].SerializeToString()) for key in sorted(entries)]
    index = temporary_name(index_path(target))
    with contextlib.suppress(OSError):
        os.mkdir(os.path.dirname(target))
    replace_file(index, encode_table([(HEADER_KEY, header.SerializeToString()), *merged]))
    named = [(path, data_path(target, shard, len(moves))) for shard, path in enumerate(moves)]
    try:
        with os_errors_as_tf(target):
            publish([*named, (index, index_path(target))])
    except BaseException:
        os.remove(index)
        raise
    for prefix in parts:
        with os_errors_as_tf(prefix):
            os.remove(index_path(prefix))
        if delete_old_dirs and os.path.dirname(prefix) != os.path.dirname(target):
            with contextlib.suppress(OSError):  # it holds something else
                os.rmdir(os.path.dirname(prefix))


def _table_of(prefix: str) -> dict[bytes, bytes]:
    path = index_path(prefix)
    with os_errors_as_tf(path), open(path, "rb") as file:
        return decode_table(file.read(), path)
