"""Checkpoints to and from Orbax, the format of the JAX world; Orbax is the extra ``monitored[orbax]``.

A checkpoint of this library names its tensors by paths; an Orbax checkpoint is a tree of dicts. The path
``dense/kernel`` becomes ``{"dense": {"kernel": array}}``. Where a tensor's path goes on behind another tensor's, as
slots do, the tree cannot: ``dense/kernel/Adam`` is then the key ``"kernel/Adam"`` beside ``"kernel"``. Keys joined with
slashes are the names again, so that nothing is lost both ways.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from monitored import errors
from monitored._checkpoint import BundleWriter, open_checkpoint
from monitored._train.restore_plan import checkpoint_path

__all__ = ["export_orbax", "import_orbax"]

Path = str | os.PathLike[str]

_TREE: Final = "_METADATA"  # the file in a directory that holds a tree
_ITEM: Final = "default"  # the directory that a CheckpointManager puts it into


def export_orbax(
    ckpt_dir_or_file: Path, path: Path, *, wanted: Callable[[str], bool] | None = None
) -> dict[str, tuple[int, ...]]:
    """Writes the tensors of a checkpoint as an Orbax checkpoint, a tree of NumPy arrays of the same bits.

        tf.train.export_orbax("runs/digits", "digits.orbax", wanted=lambda name: "Adam" not in name)
        params = orbax.checkpoint.StandardCheckpointer().restore(os.path.abspath("digits.orbax"))

    All of them are held in memory at once, as Orbax wants them.

    Args:
        ckpt_dir_or_file: A directory with a `checkpoint` file, or a checkpoint's path without `.index`.
        path: The directory to make.
        wanted: Given a tensor's name, whether to take it along; all by default.

    Returns:
        Name -> shape of what was written.

    Raises:
        ImportError: If Orbax is not installed.
        ValueError: If the directory holds no checkpoint, or Orbax would take two names for one.
        UnimplementedError: If there is a tensor that Orbax cannot hold: strings, resources, arrays with no elements.
        AlreadyExistsError: If there is something at `path`.
        NotFoundError: If there is no such checkpoint.
        DataLossError: If it is damaged.
    """
    orbax = _orbax()
    if os.path.lexists(path):
        raise errors.AlreadyExistsError(None, None, f"{os.fspath(path)} exists; give the path of a new directory.")
    reader = open_checkpoint(checkpoint_path(ckpt_dir_or_file))
    dtypes, shapes = reader.dtype_map(), reader.shape_map()
    names = [name for name in shapes if wanted is None or wanted(name)]
    unfit = [name for name in names if dtypes[name].name in ("object", "void", "uint4", "uint2") or 0 in shapes[name]]
    if unfit:
        raise errors.UnimplementedError(
            None,
            None,
            f"Orbax cannot hold these tensors (strings, resources, uint4, or no elements): {', '.join(unfit)}. Leave "
            "them out:\n  tf.train.export_orbax(..., wanted=lambda name: ...)",
        )
    keys: dict[str, str] = {}
    for name in names:  # Orbax joins the keys of a tree with dots, and files under one name overwrite each other
        taken = keys.setdefault(name.replace("/", "."), name)
        if taken != name:
            raise ValueError(f"Orbax would take {taken!r} and {name!r} for one.")
    tree = _nested({name: reader.read(name) for name in names})
    orbax.PyTreeCheckpointer().save(os.path.abspath(path), tree)
    return {name: shapes[name] for name in names}


def import_orbax(path: Path, save_path: Path) -> dict[str, tuple[int, ...]]:
    """Writes the arrays of an Orbax checkpoint as a checkpoint of this library (and TensorFlow's), with the same bits.

        tf.train.import_orbax("digits.orbax", "runs/digits/imported.ckpt")
        tf.train.init_from_checkpoint("runs/digits/imported.ckpt", {"params/": "/"})

    Args:
        path: The directory: a tree that a checkpointer wrote, or the directory of one step of a `CheckpointManager`
            that holds one. The keys and positions on the way to an array, joined with slashes, are its name.
        save_path: The path of the checkpoint's files, without their endings.

    Returns:
        Name -> shape of what was written.

    Raises:
        ImportError: If Orbax is not installed.
        NotFoundError: If there is no such directory, or no tree in it.
        ValueError: If two arrays would have one name, or it holds no array.
        InvalidArgumentError: If it holds something that a checkpoint cannot.
        OpError: If the checkpoint could not be written.
    """
    orbax = _orbax()
    import jax

    directory = os.path.abspath(path)
    if not os.path.exists(os.path.join(directory, _TREE)):
        directory = os.path.join(directory, _ITEM)
    if not os.path.exists(os.path.join(directory, _TREE)):
        raise errors.NotFoundError(None, None, f"{os.fspath(path)} holds no tree that Orbax wrote (a file {_TREE}).")
    checkpointer = orbax.PyTreeCheckpointer()
    shape = checkpointer.metadata(directory).item_metadata.tree
    arguments = jax.tree.map(lambda _: orbax.RestoreArgs(restore_type=np.ndarray), shape)
    arrays: dict[str, Any] = {}
    for name, leaf in _leaves(checkpointer.restore(directory, restore_args=arguments)):
        if name in arrays:
            raise ValueError(f"Two arrays would have the name {name!r}.")
        arrays[name] = np.asarray(leaf)
    if not arrays:
        raise ValueError(f"{os.fspath(path)} holds no array.")
    with BundleWriter(save_path) as writer:
        for name, array in sorted(arrays.items()):
            writer.add(name, array)
    return {name: array.shape for name, array in sorted(arrays.items())}


def _orbax() -> Any:
    try:
        import orbax.checkpoint
    except ImportError as error:
        raise ImportError("Orbax is not installed; it is an extra:\n  pip install 'monitored[orbax]'") from error
    return orbax.checkpoint


def _nested(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """A tree of dicts, as the module's text tells it."""
    tree: dict[str, Any] = {}
    for name, array in arrays.items():
        place, start = tree, 0
        for end, character in enumerate(name):
            if character == "/":
                if name[:end] in arrays:
                    break
                place, start = place.setdefault(name[start:end], {}), end + 1
        place[name[start:]] = array
    return tree


def _leaves(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    items: Any = tree.items() if isinstance(tree, Mapping) else enumerate(tree)
    for key, value in items:
        name = f"{prefix}{key}"
        if isinstance(value, (Mapping, list, tuple)):
            yield from _leaves(value, f"{name}/")
        elif value is not None:
            yield name, value
