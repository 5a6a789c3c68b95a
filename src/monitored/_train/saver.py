"""`Saver`: writes a session's state as checkpoints, keeps the newest of them, and restores it.

One save, in order, so that whatever fails, and whenever, the checkpoint before it is good and published:

    snapshot   every variable and random stream, read at one moment
    bundle     written under temporary names, flushed to the disk, renamed into place
    graph      `<prefix>.meta`, replaced whole
    state      the `checkpoint` file, replaced whole: from now on this is the newest checkpoint
    retention  checkpoints beyond `max_to_keep` are removed

A restore reads and checks everything that it needs before it changes any variable.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from typing import Any, Final

import numpy as np

from monitored import errors
from monitored._checkpoint import (
    BundleWriter,
    checkpoint_exists,
    get_checkpoint_mtimes,
    remove_checkpoint,
    write_checkpoint_state,
)
from monitored._checkpoint.files import replace_file
from monitored._graph.collections import GraphKeys
from monitored._graph.graph import Graph, get_default_graph
from monitored._graph.operation import Operation
from monitored._run.activity import activity
from monitored._run.session import BaseSession
from monitored._train import snapshot
from monitored._train.global_step import global_step as evaluate_step
from monitored._train.meta_graph import export_meta_graph, meta_graph_filename
from monitored._train.saver_nodes import (
    Partitioned,
    Variables,
    add_nodes,
    by_name,
    named_variables,
    operations_of,
    saved_by,
)
from monitored._train.saver_support import check_is_checkpoint, explaining, in_background, remove_unnamed

__all__ = ["Saver"]

_log = logging.getLogger("monitored")

_V2: Final = 2  # SaverDef.V2
_NAMES: Final = ("save_tensor_name", "restore_op_name", "filename_tensor_name")  # of nodes, in a SaverDef

Path = str | os.PathLike[str]


class Saver:
    """Saves and restores variables.

    Checkpoints are TensorFlow's: what this writes TensorFlow reads, and the other way round. A saver of all of the
    graph's global variables also saves and restores the random streams, under names that TensorFlow passes over, so
    that a resumed run draws the numbers that the uninterrupted one would have drawn.
    """

    def __init__(
        self,
        var_list: Any = None,
        reshape: bool = False,
        sharded: bool = False,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000.0,
        name: str | None = None,
        restore_sequentially: bool = False,
        saver_def: Any = None,
        builder: Any = None,
        defer_build: bool = False,
        allow_empty: bool = False,
        write_version: int = _V2,
        pad_step_number: bool = False,
        save_relative_paths: bool = False,
        filename: str | None = None,
        *,
        strict: bool = True,
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        """Adds the nodes that save and restore to the graph, unless `defer_build`.

        Args:
            var_list: The variables to save, a list or a mapping of names in the checkpoint to variables; all global
                variables (and saveable objects) of the graph by default.
            reshape: Whether a variable may be restored from a value of another shape with as many elements.
            sharded: Whether the variables of each device are written into a data file of their own, as TensorFlow does.
            max_to_keep: How many of the newest checkpoints to keep. None or 0 keeps all, and the `checkpoint` file
                then names the newest only.
            keep_checkpoint_every_n_hours: In addition, one checkpoint is kept for good every so many hours.
            name: The name scope of the nodes, ``'save'`` by default; with `saver_def`, the scope that it was
                imported into.
            restore_sequentially: Accepted; a restore loads all variables at once.
            saver_def: A `SaverDef` whose nodes the graph holds already.
            builder: Not supported: must be None.
            defer_build: Whether nodes are added only by `build`.
            allow_empty: Whether there may be no variables; such a saver does nothing.
            write_version: Checkpoints are written in the V2 format; that another was asked for is logged as a warning.
                (Those of the V1 format are restored.)
            pad_step_number: Whether the step in names is padded with zeros to eight digits.
            save_relative_paths: Whether the `checkpoint` file holds paths relative to its directory, so that the
                directory can be moved.
            filename: The path that the nodes use when they are not fed one.
            strict: Whether a checkpoint must have all variables, of their shapes and types. If not, `restore` takes
                those that fit, initializes others that have no value yet, and logs what it did.
            renamed: Variables' names -> the names that they had before, or scopes (``'new/'`` -> ``'old/'``). `restore`
                takes the older name where the checkpoint has it, so that it reads checkpoints from before and after.

        Raises:
            ValueError: If there are no variables, two of one name, or `var_list` together with `defer_build`.
            TypeError: If `var_list` holds something that is no variable.
            UnimplementedError: If `builder` is given.
        """
        if builder is not None:
            raise errors.UnimplementedError(None, None, "Savers with a `builder` are not supported: leave it out.")
        if defer_build and var_list:
            raise ValueError(
                "If `var_list` is provided then build cannot be deferred. "
                "Either set defer_build=False or var_list=None."
            )
        if write_version != _V2:
            _log.warning("write_version=%s: checkpoints are written in the V2 format all the same.", write_version)
        self._var_list = var_list
        self._reshape = reshape
        self._sharded = sharded
        self._max_to_keep = max_to_keep
        self._keep_hours = keep_checkpoint_every_n_hours
        self._name = name
        self._allow_empty = allow_empty
        self._pad_step_number = pad_step_number
        self._save_relative_paths = save_relative_paths
        self._filename = filename or "model"
        self._strict = strict
        self._renamed = dict(renamed or {})
        self.saver_def = saver_def
        self._graph: Graph | None = None  # set by `build`, as is what follows
        self._variables: Variables = {}  # name in the checkpoint -> variable
        self._streams: tuple[int, dict[str, Operation] | None] | None = None  # for which version of the graph
        self._meta: tuple[Any, bytes] | None = None  # the last MetaGraph written, and of what it is
        self._last: list[tuple[str, float]] = []  # (checkpoint, when it was made in seconds since 1970), oldest first
        self._next_kept = math.inf  # when the next checkpoint to be kept for good is due
        self._saving = threading.RLock()
        self._behind: Future[str | None] | None = None  # the save that goes on behind the steps
        self._kept_copies: dict[Operation, Any] = {}  # of variables, for such saves
        if not defer_build:
            self.build()

    # -- building -------------------------------------------------------------------------------------------------

    def build(self) -> None:
        """Adds the nodes to the default graph, if that has not been done.

        Raises:
            ValueError: If there are no variables to save.
            TypeError: If `var_list` held something that is no variable.
            RuntimeError: If the graph is finalized.
        """
        if self._graph is not None:
            return
        if self.saver_def is None:
            self._build_new()
        else:
            self._build_imported()
        hours = self.saver_def.keep_checkpoint_every_n_hours if self.saver_def is not None else self._keep_hours
        self._next_kept = time.time() + (hours or 0) * 3600

    def _build_new(self) -> None:
        from tensorboard.compat.proto import saver_pb2

        graph = get_default_graph()
        found = self._var_list
        if found is None:
            found = _unique(graph.get_collection(GraphKeys.GLOBAL_VARIABLES))
            found += graph.get_collection(GraphKeys.SAVEABLE_OBJECTS)
        saved = named_variables(found)
        if not saved and not self._allow_empty:
            raise ValueError("No variables to save")
        self._variables = by_name(saved)
        if saved:
            nodes = add_nodes(saved, self._name, self._filename, self._reshape, self._sharded)
            self.saver_def = saver_pb2.SaverDef(
                filename_tensor_name=nodes[0],
                save_tensor_name=nodes[1],
                restore_op_name=nodes[2],
                max_to_keep=self._max_to_keep or 0,
                sharded=self._sharded,
                keep_checkpoint_every_n_hours=self._keep_hours or 0,
                version=saver_pb2.SaverDef.V2,
            )
            graph = saved[0].reference.graph
        self._graph = graph

    def _build_imported(self) -> None:
        from tensorboard.compat.proto import saver_pb2

        saver_def = saver_pb2.SaverDef()
        saver_def.CopyFrom(self.saver_def)
        for field in _NAMES:
            if not getattr(saver_def, field):
                raise ValueError(f"saver_def must specify the {field}: {saver_def}")
            if self._name:
                setattr(saver_def, field, f"{self._name}/{getattr(saver_def, field)}")
        graph = get_default_graph()
        self._variables = saved_by(graph, saver_def.save_tensor_name)
        self.saver_def, self._graph = saver_def, graph

    @property
    def _is_empty(self) -> bool:
        return self._graph is not None and not self._variables

    def _operations(self) -> set[Operation]:
        """The operations that hold the variables."""
        return {op for variable in self._variables.values() for op in operations_of(variable)}

    def _streams_of(self, graph: Graph) -> dict[str, Operation] | None:
        """The random operations whose streams go with the variables; None for a saver of a part of the model."""
        if self._streams is None or self._streams[0] != graph.version:
            saved = self._operations()
            whole = all(variable.op in saved for variable in graph.get_collection(GraphKeys.GLOBAL_VARIABLES))
            self._streams = (graph.version, snapshot.streams_of(graph) if whole else None)
        return self._streams[1]

    # -- saving -----------------------------------------------------------------------------------------------------

    def save(
        self,
        sess: Any,
        save_path: Path,
        global_step: Any = None,
        latest_filename: str | None = None,
        meta_graph_suffix: str = "meta",
        write_meta_graph: bool = True,
        write_state: bool = True,
        strip_default_attrs: bool = False,
        save_debug_info: bool = False,
    ) -> str | None:
        """Writes a checkpoint of a session's variables; it is on the disk when this returns.

        Args:
            sess: The session, or a monitored session.
            save_path: The path of the checkpoint's files, without their endings.
            global_step: A number, or a tensor or variable that holds one, to be added to the path: ``model.ckpt-7``.
            latest_filename: The name of the file that tells which checkpoints there are, ``checkpoint`` by default.
            meta_graph_suffix: The ending of the file with the graph.
            write_meta_graph: Whether to write that file.
            write_state: Whether to write the file `latest_filename`, and to remove checkpoints beyond `max_to_keep`.
            strip_default_attrs: Whether to leave out attributes with their defaults from the graph.
            save_debug_info: Whether to write where operations were created beside the graph.

        Returns:
            The checkpoint's path, to be given to `restore`; None from a saver without variables.

        Raises:
            RuntimeError: If the saver is not built or the session is closed.
            TypeError: If `sess` is no session.
            ValueError: If a file would take another's name, the directory above the one named does not exist, or the
                session is of another graph.
            FailedPreconditionError: If a variable is not initialized, or the directory is a file.
            PermissionDeniedError: If the directory is not writable.
            OpError: If the checkpoint could not be written for another reason. Whatever it was, the checkpoints
                before are as they were, and the last of them is the newest.
        """
        self._wait_for_save_behind()
        with self._saving, activity("save"):
            finish = self._begun_save(
                {}, sess, save_path, global_step, latest_filename, meta_graph_suffix, write_meta_graph, write_state,
                strip_default_attrs, save_debug_info,
            )  # fmt: skip
            return finish()

    def save_async(self, sess: Any, save_path: Path, global_step: Any = None, **options: Any) -> Future[str | None]:
        """Writes a checkpoint while steps go on: this returns as soon as the variables are copied.

        One save at a time goes on behind the steps; a second call, or `save`, waits for it first.

        Args:
            sess: The session, or a monitored session.
            save_path: The path of the checkpoint's files, without their endings.
            global_step: What is added to the path.
            options: Other arguments of `save`, by name.

        Returns:
            A future of what `save` returns. When it is done, the checkpoint is on the disk; `result()` waits for
            that, and raises what `save` raises about files.

        Raises:
            RuntimeError: If the saver is not built or the session is closed.
            TypeError: If `sess` is no session.
            ValueError: If a file would take another's name, or the session is of another graph.
            FailedPreconditionError: If a variable is not initialized.
        """
        self._wait_for_save_behind()
        finish = self._begun_save(self._kept_copies, sess, save_path, global_step, **options)

        def save() -> str | None:
            with self._saving, activity("save"):
                return finish()

        self._behind = future = in_background(f"save {_text(save_path)}", save)
        return future

    def _wait_for_save_behind(self) -> None:
        behind, self._behind = self._behind, None
        if behind is not None:
            wait([behind])

    def _begun_save(
        self,
        kept: dict[Operation, Any],
        sess: Any,
        save_path: Path,
        global_step: Any,
        latest_filename: str | None = None,
        meta_graph_suffix: str = "meta",
        write_meta_graph: bool = True,
        write_state: bool = True,
        strip_default_attrs: bool = False,
        save_debug_info: bool = False,
    ) -> Callable[[], str | None]:
        """Copies the state, and gives what is left to do: to write it."""
        if self._graph is None:
            raise RuntimeError("`build()` should be called before save if defer_build==True")
        latest_filename = latest_filename or "checkpoint"
        if os.path.split(latest_filename)[0]:
            raise ValueError("'latest_filename' must not contain path components")
        session = self._session(sess)
        path = _text(save_path)
        if global_step is not None:
            is_number = isinstance(global_step, (int, np.integer))
            step = int(global_step) if is_number else evaluate_step(session, global_step)
            checkpoint = f"{path}-{step:08d}" if self._pad_step_number else f"{path}-{step}"
        else:
            checkpoint = path
            if os.path.basename(path) == latest_filename and not self._sharded:
                raise ValueError(f"'latest_filename' collides with 'save_path': '{latest_filename}' and '{path}'")
        graph, values = session.graph, {}
        if not self._is_empty:
            values = snapshot.take(session, self._variables, self._streams_of(graph), kept)

        def finish() -> str | None:
            is_new = not checkpoint_exists(checkpoint)
            try:
                with explaining(path):
                    if values:
                        self._write(checkpoint, values)
                    if write_meta_graph:
                        name = meta_graph_filename(checkpoint, meta_graph_suffix)
                        self._write_meta_graph(graph, name, strip_default_attrs, save_debug_info)
                if write_state and values:
                    self._publish(checkpoint, os.path.dirname(path), latest_filename, meta_graph_suffix)
            except BaseException:
                if is_new:
                    remove_unnamed(checkpoint, latest_filename, meta_graph_suffix)
                raise
            return checkpoint if values else None

        return finish

    def _write(self, checkpoint: str, values: Mapping[str, Any]) -> None:
        """Writes values, those of each device in a file of its own if the saver is sharded."""
        devices = sorted({op.device for op in self._operations()}) if self.saver_def.sharded else [""]
        place = {device: shard for shard, device in enumerate(devices)}
        with BundleWriter(checkpoint, len(devices)) as writer:
            for name, value in values.items():
                variable = self._variables.get(name)  # None for a random stream
                if isinstance(variable, Partitioned):
                    for (op, info), part in zip(variable.parts, value, strict=True):
                        writer.add_slice(name, part, info.full_shape, info.var_offset, place.get(op.device, 0))
                else:
                    writer.add(name, value, 0 if variable is None else place.get(variable.device, 0))

    def _session(self, sess: Any) -> BaseSession:
        raw_session = getattr(sess, "_raw_session", None)  # of a monitored session
        session = raw_session() if callable(raw_session) else sess
        if (session is None and sess is not None) or getattr(session, "_closed", False):
            raise RuntimeError("Attempted to use a closed Session.")
        if not isinstance(session, BaseSession):
            raise TypeError(f"'sess' must be a Session; {sess}")
        if self._variables and session.graph is not self._graph:
            raise ValueError("The session and the saver's variables are of different graphs.")
        return session

    def _write_meta_graph(self, graph: Graph, filename: str, strip_default_attrs: bool, save_debug_info: bool) -> None:
        # A finalized graph is exported once: 25,000 operations take seconds.
        key = (graph, graph.version, strip_default_attrs)
        if self._meta is not None and self._meta[0] == key and not save_debug_info:
            replace_file(filename, self._meta[1])
            return
        with graph.as_default():
            meta = self.export_meta_graph(
                filename, strip_default_attrs=strip_default_attrs, save_debug_info=save_debug_info
            )
        if graph.finalized:
            self._meta = (key, meta.SerializeToString())

    # -- which checkpoints there are --------------------------------------------------------------------------------

    def _publish(self, checkpoint: str, directory: str, latest_filename: str, meta_graph_suffix: str) -> None:
        """Makes a checkpoint the newest in the `checkpoint` file, and removes those that are too many."""
        kept, surplus = self._last, []
        most = self.saver_def.max_to_keep
        if most > 0:
            kept = [(path, made) for path, made in kept if path != checkpoint] + [(checkpoint, time.time())]
            surplus, kept = kept[:-most], kept[-most:]
        paths = [path for path, _ in kept]
        with explaining(checkpoint):
            write_checkpoint_state(directory, checkpoint, paths, latest_filename, self._save_relative_paths)
        self._last = kept
        for path, made in surplus:
            if made > self._next_kept:
                self._next_kept += self.saver_def.keep_checkpoint_every_n_hours * 3600
                continue
            try:
                remove_checkpoint(path, meta_graph_suffix=meta_graph_suffix)
            except errors.OpError as error:
                _log.warning("Could not remove the old checkpoint %s: %s", path, error.message)

    @property
    def last_checkpoints(self) -> list[str]:
        """The checkpoints that this saver has written and kept, oldest first."""
        return [path for path, _ in self._last]

    def set_last_checkpoints(self, last_checkpoints: Sequence[str]) -> None:
        """Sets the list of checkpoints to keep, without times; see `set_last_checkpoints_with_time`.

        Args:
            last_checkpoints: The checkpoints, oldest first.
        """
        self.set_last_checkpoints_with_time([(path, math.inf) for path in last_checkpoints])

    def set_last_checkpoints_with_time(self, last_checkpoints_with_time: Sequence[tuple[str, float]]) -> None:
        """Sets the list of checkpoints to keep.

        Args:
            last_checkpoints_with_time: Each checkpoint with when it was made in seconds since 1970, oldest first.
        """
        self._last = [(path, made) for path, made in last_checkpoints_with_time]

    def recover_last_checkpoints(self, checkpoint_paths: Sequence[str]) -> None:
        """Takes over the checkpoints of an earlier process, so that they count and are removed in their turn.

        Args:
            checkpoint_paths: The checkpoints, oldest first; those that do not exist are left out.
        """
        times = ((path, get_checkpoint_mtimes([path])) for path in checkpoint_paths)
        self.set_last_checkpoints_with_time([(path, made[0]) for path, made in times if made])

    # -- restoring --------------------------------------------------------------------------------------------------

    def restore(self, sess: Any, save_path: Path | None) -> None:
        """Gives variables the values that they had when a checkpoint was written. They need no initialization.

        A saver that is not strict then initializes the variables that have no value yet, and logs a `RestorePlan`.

        Args:
            sess: The session, or a monitored session.
            save_path: The checkpoint, as `save` or `latest_checkpoint` returned it.

        Raises:
            RuntimeError: If the saver is not built or the session is closed.
            TypeError: If `sess` is no session.
            ValueError: If there is no such checkpoint, or `renamed` does not fit the graph.
            NotFoundError: If it does not hold a variable; when not strict, if it holds none.
            InvalidArgumentError: If it holds one with another shape or dtype, and the saver is strict.
            DataLossError: If it is damaged.
            OpError: If it could not be read for another reason. Whatever it was, no variable has changed.
        """
        if self._is_empty:
            return
        if save_path is None:
            raise ValueError("Can't load save_path when it is None.")
        if self._graph is None:
            raise RuntimeError("`build()` should be called before restore if defer_build==True")
        session = self._session(sess)
        path = _text(save_path)
        check_is_checkpoint(path)
        _log.info("Restoring parameters from %s", path)
        streams = self._streams_of(session.graph)
        session._executor.compiled.load_ahead(session.graph)
        with activity("restore"):
            plan = snapshot.restore(session, path, self._variables, streams, self._reshape, self._strict, self._renamed)
        if self._renamed and plan.renamed and plan.fits:
            _log.info("%s", plan)
        elif not plan.fits:
            initialized = snapshot.initialize_rest(session, self._operations())
            _log.warning("%s\nInitialized instead: %s", plan, ", ".join(initialized) or "none, all had values")

    # -- as protocol buffers ----------------------------------------------------------------------------------------

    def export_meta_graph(
        self,
        filename: Path | None = None,
        collection_list: Sequence[str] | None = None,
        as_text: bool = False,
        export_scope: str | None = None,
        clear_devices: bool = False,
        clear_extraneous_savers: bool = False,
        strip_default_attrs: bool = False,
        save_debug_info: bool = False,
    ) -> Any:
        """The default graph and this saver as a `MetaGraphDef`; see `monitored.train.export_meta_graph`.

        Args:
            filename: The file to write; none by default.
            collection_list: The names of the collections to export; all by default.
            as_text: Whether to write the file as text.
            export_scope: Not supported: the whole graph is exported.
            clear_devices: Whether to leave out the devices that were asked for.
            clear_extraneous_savers: Whether to leave out other savers and their nodes.
            strip_default_attrs: Whether to leave out attributes that have their defaults.
            save_debug_info: Whether to write where each operation was created to a second file.

        Returns:
            The protocol buffer.

        Raises:
            OpError: If the file could not be written.
        """
        return export_meta_graph(
            filename,
            saver_def=self.saver_def,
            collection_list=collection_list,
            as_text=as_text,
            export_scope=export_scope,
            clear_devices=clear_devices,
            clear_extraneous_savers=clear_extraneous_savers,
            strip_default_attrs=strip_default_attrs,
            save_debug_info=save_debug_info,
        )

    def as_saver_def(self) -> Any:
        """This saver as a `SaverDef` protocol buffer."""
        return self.saver_def

    def to_proto(self, export_scope: str | None = None) -> Any:
        """This saver as a `SaverDef` protocol buffer, as it stands in MetaGraphs.

        Args:
            export_scope: A name scope to take away from the names.

        Returns:
            The protocol buffer; None for a saver without variables, or outside `export_scope`.
        """
        if self.saver_def is None or not export_scope:
            return self.saver_def
        prefix = export_scope.rstrip("/") + "/"
        if not self.saver_def.filename_tensor_name.startswith(prefix):
            return None
        proto = type(self.saver_def)()
        proto.CopyFrom(self.saver_def)
        for field in _NAMES:
            setattr(proto, field, getattr(proto, field).removeprefix(prefix))
        return proto

    @staticmethod
    def from_proto(saver_def: Any, import_scope: str | None = None) -> Saver:
        """The saver whose nodes the default graph holds.

        Args:
            saver_def: Its `SaverDef` protocol buffer.
            import_scope: A name scope to put before the names.

        Returns:
            A `Saver`.
        """
        return Saver(saver_def=saver_def, name=import_scope)


def _unique(items: Sequence[Any]) -> list[Any]:
    return list(dict.fromkeys(items))


def _text(path: Path | bytes) -> str:
    return os.fsdecode(path)
