"""Programs about savers, scaffolds and session managers that run with TensorFlow 1.15 and with this library alike.

Each gets the module and an empty directory, and returns what can be written as JSON. Python 3.7 must read this file.
"""

import logging
import os
import re

PROGRAMS = {}


def program(function):
    PROGRAMS[function.__name__] = function
    return function


def run(tf, name, directory):
    """The result of a program, with the directory's path in texts replaced by DIR."""
    with tf.Graph().as_default():
        return _portable(PROGRAMS[name](tf, directory), directory)


def _portable(value, directory):
    if isinstance(value, dict):
        return {key: _portable(item, directory) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_portable(item, directory) for item in value]
    return value.replace(directory, "DIR") if isinstance(value, str) else value


def raised(function, *args, **kwargs):
    """The class and the first line of the error that a call raises."""
    try:
        result = function(*args, **kwargs)
    except Exception as error:
        text = getattr(error, "message", None) or str(error)
        return [type(error).__name__, text.splitlines()[0]]
    return ["no error", str(type(result).__name__)]


def model(tf):
    """Variables of a small model, one of which is not trainable, and the session's initializer."""
    tf.get_variable("w", [3, 2], initializer=tf.ones_initializer())
    tf.get_variable("b", [2], initializer=tf.zeros_initializer())
    tf.train.get_or_create_global_step()
    return tf.global_variables_initializer()


def seen(directory, saver=None):
    """The files of a directory and its subdirectories, what the state file says, and what the saver keeps."""
    files = []
    for folder, _, names in os.walk(directory):
        files += [os.path.relpath(os.path.join(folder, name), directory) for name in names]
    state = os.path.join(directory, "checkpoint")
    text = ""
    if os.path.exists(state):
        with open(state) as file:
            text = file.read()
    return {"files": sorted(files), "state": text, "last": saver.last_checkpoints if saver else None}


def nodes_since(tf, count):
    """The nodes of the default graph after the first `count`."""
    found = []
    for node in tf.get_default_graph().as_graph_def().node[count:]:
        attrs = {key: str(node.attr[key]) for key in sorted(node.attr)}
        if node.op == "Const":
            attrs["value"] = re.sub(
                "_temp_[0-9a-f]*", "_temp_", str(tf.make_ndarray(node.attr["value"].tensor).tolist())
            )
        found.append([node.name, node.op, list(node.input), node.device, attrs])
    return found


def fields_of(saver_def):
    return {field.name: value for field, value in saver_def.ListFields()}


# -- names, files, retention --------------------------------------------------------------------------------------


@program
def names_of_checkpoints(tf, directory):
    import numpy as np

    init = model(tf)
    step = tf.train.get_global_step()
    path = os.path.join(directory, "m")
    with tf.Session() as sess:
        sess.run(init)
        saver, padded = tf.train.Saver(), tf.train.Saver(pad_step_number=True)
        return [
            saver.save(sess, path),
            saver.save(sess, path, 7),
            saver.save(sess, path, np.int32(8)),
            saver.save(sess, path, global_step=step),
            saver.save(sess, path, step.value()),
            padded.save(sess, path, 7),
            padded.save(sess, path, 123456789),
            saver.save(sess, os.path.join(directory, "made", "m"), 3),
            seen(directory, saver),
        ]


@program
def retention(tf, directory):
    init = model(tf)
    path = os.path.join(directory, "m")
    found = []
    with tf.Session() as sess:
        sess.run(init)
        for most in (2, 1, 0, None):
            saver = tf.train.Saver(max_to_keep=most)
            for step in (1, 2, 3, 2, 4):
                saver.save(sess, path, step)
                found.append(seen(directory, saver))
            for step in (1, 2, 3, 4):
                tf.train.remove_checkpoint(f"{path}-{step}")
    return found


@program
def retention_by_hours(tf, directory):
    init = model(tf)
    path = os.path.join(directory, "m")
    found = []
    with tf.Session() as sess:
        sess.run(init)
        for hours, made in ((1.0, 1.0), (1.0, 1e12), (1e-9, 1.0), (1e6, 1e12)):
            saver = tf.train.Saver(max_to_keep=1, keep_checkpoint_every_n_hours=hours)
            old = [saver.save(sess, path + "old", step, write_state=False) for step in (1, 2)]
            saver.set_last_checkpoints_with_time([(old[0], made)])
            saver.save(sess, path, 3)
            found.append(seen(directory, saver))
            saver.set_last_checkpoints([old[1]])
            saver.save(sess, path, 4)
            found.append(seen(directory, saver))
    return found


@program
def retention_after_a_restart(tf, directory):
    init = model(tf)
    path = os.path.join(directory, "m")
    with tf.Session() as sess:
        sess.run(init)
        first = tf.train.Saver(max_to_keep=3)
        for step in (1, 2, 3):
            first.save(sess, path, step)
        second = tf.train.Saver(max_to_keep=3)
        second.recover_last_checkpoints([path + "-1", path + "-gone", path + "-2", path + "-3"])
        recovered = second.last_checkpoints
        second.save(sess, path, 4)
        return [recovered, seen(directory, second)]


@program
def what_is_written(tf, directory):
    init = model(tf)
    path = os.path.join(directory, "m")
    found = []
    with tf.Session() as sess:
        sess.run(init)
        saver = tf.train.Saver()
        found.append([saver.save(sess, path, 1, write_meta_graph=False), seen(directory, saver)])
        found.append([saver.save(sess, path, 2, write_state=False), seen(directory, saver)])
        found.append([saver.save(sess, path, 3, meta_graph_suffix="graph"), seen(directory, saver)])
        found.append([saver.save(sess, path, 4, latest_filename="newest"), seen(directory, saver)])
        found.append([saver.save(sess, path, 5, save_debug_info=True), seen(directory, saver)])
    return found


@program
def relative_paths(tf, directory):
    init = model(tf)
    before = os.getcwd()
    found = []
    os.chdir(directory)
    try:
        with tf.Session() as sess:
            sess.run(init)
            for relative in (False, True):
                for path in (os.path.join(directory, "m"), "m", os.path.join("sub", "m")):
                    saver = tf.train.Saver(save_relative_paths=relative)
                    found.append([saver.save(sess, path, 1), saver.save(sess, path, 2), saver.last_checkpoints])
                    with open(os.path.join(os.path.dirname(path), "checkpoint")) as file:
                        found.append(file.read())
                    found.append(tf.train.latest_checkpoint(os.path.dirname(path)))
    finally:
        os.chdir(before)
    return found


# -- errors ----------------------------------------------------------------------------------------------------------


@program
def constructor_errors(tf, directory):
    found = [raised(tf.train.Saver), raised(tf.train.Saver, {}), raised(tf.train.Saver, [])]
    found.append(raised(tf.train.Saver, [1], defer_build=True))
    model(tf)
    w = tf.global_variables()[0]
    for wrong in (w, [tf.constant(1.0)], [w, w], {"a": w, "c": w}, {"a": tf.constant(3.0)}):
        found.append(raised(tf.train.Saver, wrong))
    found.append(raised(tf.train.Saver, saver_def=tf.train.SaverDef()))
    return found


@program
def save_errors(tf, directory):
    init = model(tf)
    path = os.path.join(directory, "m")
    saver = tf.train.Saver()
    with tf.Session() as sess:
        found = [raised(saver.save, sess, path), raised(tf.train.Saver(defer_build=True).save, sess, path)]
        sess.run(init)
        for wrong in (None, 3, "session"):
            found.append(raised(saver.save, wrong, path))
        found.append(raised(saver.save, sess, path, latest_filename="a/b"))
        found.append(raised(saver.save, sess, os.path.join(directory, "checkpoint")))
        found.append(raised(saver.save, sess, path, latest_filename="m"))
        found.append(raised(saver.save, sess, os.path.join(directory, "x", "y", "m")))
        found.append(raised(saver.save, sess, path, global_step=3.7))
        found.append(seen(directory, saver))
    return found


@program
def restore_errors(tf, directory):
    init = model(tf)
    saver = tf.train.Saver()
    with tf.Session() as sess:
        sess.run(init)
        path = saver.save(sess, os.path.join(directory, "m"), 1)
        found = [raised(saver.restore, sess, None), raised(saver.restore, sess, path + "0")]
    with tf.Graph().as_default(), tf.Session() as sess:
        w = tf.get_variable("w", [2, 3])
        other = tf.get_variable("other", [2])
        wide = tf.get_variable("wide", [2], tf.float64)
        found.append(raised(tf.train.Saver([w]).restore, sess, path))
        found.append(raised(tf.train.Saver([w, other]).restore, sess, path))
        found.append(raised(tf.train.Saver({"b": wide}).restore, sess, path))
        found.append(sorted(name.decode() for name in sess.run(tf.report_uninitialized_variables())))
        tf.train.Saver({"b": other}).restore(sess, path)
        tf.train.Saver([w], reshape=True).restore(sess, path)
        found.append(sess.run([w, other])[0].tolist())
        found.append(sorted(name.decode() for name in sess.run(tf.report_uninitialized_variables())))
    return found


@program
def sharded(tf, directory):
    path, found = os.path.join(directory, "m"), []
    for index, device in enumerate(["/cpu:1", "/cpu:0", "/cpu:1", ""]):
        with tf.device(device):
            tf.get_variable(f"v{index}", [index + 1], initializer=tf.constant_initializer(index))
    config = tf.ConfigProto(device_count={"CPU": 2})
    saver = tf.train.Saver(sharded=True, max_to_keep=1)
    with tf.Session(config=config) as sess:
        sess.run(tf.global_variables_initializer())
        found += [saver.save(sess, path, 1), saver.save(sess, path, 2), raised(saver.save, sess, path, "checkpoint")]
        found.append(seen(directory, saver))
    with tf.Graph().as_default(), tf.Session(config=config) as sess:
        saver = tf.train.import_meta_graph(path + "-2.meta")
        saver.restore(sess, path + "-2")
        values = [variable.name for variable in tf.global_variables()]
        found.append([values, [value.tolist() for value in sess.run(values)]])
        os.mkdir(os.path.join(directory, "nodes"))
        feed = {saver.saver_def.filename_tensor_name: os.path.join(directory, "nodes", "m")}
        found.append(sess.run(saver.saver_def.save_tensor_name, feed).decode())
        sess.run(tf.assign(tf.global_variables()[0], [5.0]))
        sess.run(saver.saver_def.restore_op_name, feed)
        found += [sess.run("v0:0").tolist(), saver.save(sess, path, 3), seen(directory, saver)]
    sizes = {}
    for name in found[-1]["files"]:
        if ".data" in name:
            sizes[name] = os.path.getsize(os.path.join(directory, name))
    return [*found, sizes]


# -- nodes and protocol buffers ---------------------------------------------------------------------------------------


@program
def nodes(tf, directory):
    model(tf)
    on_devices = []
    for index, device in enumerate(["/cpu:1", "/job:w/task:1/gpu:0", "/cpu:0", "", "/cpu:1"]):
        with tf.device(device):
            on_devices.append(tf.get_variable(f"on_device_{index}", [2]))
    found = []
    for options in (
        {},
        {"reshape": True},
        {"restore_sequentially": True, "name": "keep", "filename": "file"},
        {"var_list": {"x": tf.global_variables()[0]}, "max_to_keep": None, "keep_checkpoint_every_n_hours": 0.5},
        {"sharded": True},
        {"sharded": True, "reshape": True, "var_list": on_devices},
    ):
        count = len(tf.get_default_graph().get_operations())
        saver = tf.train.Saver(**options)
        protos = [saver.saver_def, saver.to_proto(), saver.as_saver_def(), saver.to_proto("keep")]
        found.append([nodes_since(tf, count), [proto and fields_of(proto) for proto in protos]])
    return found


@program
def nodes_run(tf, directory):
    init = model(tf)
    saver = tf.train.Saver()
    path = os.path.join(directory, "m")
    w = tf.global_variables()[0]
    with tf.Session() as sess:
        sess.run(init)
        fed = {saver.saver_def.filename_tensor_name: path}
        found = [sess.run(saver.saver_def.save_tensor_name, fed).decode(), seen(directory)]
        sess.run(tf.assign(w, [[5.0, 5.0]] * 3))
        sess.run(saver.saver_def.restore_op_name, fed)
        found.append(sess.run(w).tolist())
        found.append(raised(sess.run, saver.saver_def.restore_op_name, {"save/Const:0": path + "0"}))
    return found


@program
def meta_graph(tf, directory):
    model(tf)
    tf.get_variable("local", [], collections=[tf.GraphKeys.LOCAL_VARIABLES])
    result = tf.add(tf.global_variables()[0], 1.0, name="result")
    tf.add_to_collection(tf.GraphKeys.TRAIN_OP, result.op)
    tf.add_to_collection("outputs", result)
    tf.add_to_collection("numbers", 3)
    tf.add_to_collection("rates", 0.5)
    tf.add_to_collection("texts", "abc")
    tf.add_to_collection("odd", object())
    first, second = tf.train.Saver(), tf.train.Saver(name="other")
    for saver in (first, second):
        tf.add_to_collection(tf.GraphKeys.SAVERS, saver)
    found = []
    for options in ({}, {"clear_extraneous_savers": True}, {"collection_list": ["numbers", "odd", "none"]}):
        meta = first.export_meta_graph(os.path.join(directory, "g.meta"), **options)
        with open(os.path.join(directory, "g.meta"), "rb") as file:
            again = tf.MetaGraphDef.FromString(file.read())
        kinds = {key: str(value) for key, value in meta.collection_def.items()}
        savers = sorted(node.name for node in meta.graph_def.node if node.name.startswith(("save", "other")))
        found.append([kinds, fields_of(meta.saver_def), savers, again == meta])
    return found


# -- scaffold and session manager -------------------------------------------------------------------------------------


@program
def scaffold(tf, directory):
    model(tf)
    tf.summary.scalar("loss", 1.0)
    empty = tf.train.Scaffold()
    fields = ("init_op", "init_feed_dict", "init_fn", "ready_op", "ready_for_local_init_op", "local_init_op",
              "summary_op", "saver")  # fmt: skip
    found = [[getattr(empty, field) is None for field in fields]]
    again = empty.finalize()
    found.append([again is empty, tf.get_default_graph().finalized])
    found.append([getattr(empty, field) is None for field in fields])
    found.append([empty.init_op.name, empty.local_init_op.name, empty.summary_op.name])
    keys = ("init_op", "ready_op", "ready_for_local_init_op", "local_init_op", "summary_op", "savers")
    found.append([len(tf.get_collection(key)) for key in keys])
    copy = tf.train.Scaffold(copy_from_scaffold=empty, init_feed_dict={})
    found.append([getattr(copy, field) is getattr(empty, field) for field in fields if field != "init_fn"])
    found.append(raised(tf.train.Scaffold, copy_from_scaffold=3))
    found.append([copy.finalize().saver is empty.saver])
    calls = []
    with_function = tf.train.Scaffold(init_fn=lambda scaffold, session: calls.append((scaffold, session)))
    with_function.init_fn("session")
    other = tf.train.Scaffold(copy_from_scaffold=with_function)
    other.init_fn("session")
    found.append([calls[0] == (with_function, "session"), calls[1] == (other, "session")])
    for key in ("init_op", "ready_op", "savers"):
        with tf.Graph().as_default():
            for _ in range(2):
                tf.add_to_collection(key, tf.no_op())
            found.append(raised(tf.train.Scaffold().finalize)[0])
    with tf.Graph().as_default():
        tf.add_to_collection("init_op", tf.no_op("mine"))
        found.append(tf.train.Scaffold().finalize().init_op.name)
    return found


@program
def session_manager(tf, directory):
    init = model(tf)
    saver = tf.train.Saver()
    ready = tf.report_uninitialized_variables()
    ready_for_local = tf.report_uninitialized_variables(tf.global_variables())
    local = tf.no_op("local")
    manager = tf.train.SessionManager
    nothing = manager()
    strict = manager(ready_op=ready)
    with_local = manager(local_init_op=local, ready_op=ready, ready_for_local_init_op=ready_for_local)
    old_style = manager(ready_op=tf.assert_variables_initialized())
    found = [
        raised(manager, ready_for_local_init_op=ready)[0],
        raised(nothing.prepare_session, ""),
        raised(strict.prepare_session, "", init_op=local),
        raised(with_local.prepare_session, "", init_op=local),
        raised(old_style.prepare_session, "", init_op=local)[0],
        raised(strict.prepare_session, "", init_op=init),
        raised(old_style.prepare_session, "", init_op=init),
        raised(nothing.prepare_session, "", saver=saver, checkpoint_dir="a", checkpoint_filename_with_path="b"),
        raised(nothing.prepare_session, "", init, saver, checkpoint_filename_with_path=os.path.join(directory, "b")),
        raised(strict.wait_for_session, "", max_wait_secs=0),
    ]
    calls = []
    with strict.prepare_session("", init, init_fn=lambda sess: calls.append(sess.run("w:0").tolist())) as sess:
        sess.run(tf.assign(tf.global_variables()[0], [[2.0, 3.0]] * 3))
        found.append(calls)
        found.append(strict.recover_session("", saver, directory)[1])
        saver.save(sess, os.path.join(directory, "m"), 1)
        path = saver.save(sess, os.path.join(directory, "m"), 2)
    for way in ({"checkpoint_dir": directory}, {"checkpoint_filename_with_path": path}):
        second = tf.train.Saver()
        sess, restored = with_local.recover_session("", second, **way)
        found.append([restored, sess.run("w:0").tolist(), second.last_checkpoints])
        sess = with_local.prepare_session("", init, second, init_fn=lambda sess: calls.append("again"), **way)
        found.append([sess.run("w:0").tolist(), calls[1:]])
    # A variable that the checkpoint is not asked for.
    other = tf.get_variable("other", [])
    strict = manager(ready_op=tf.report_uninitialized_variables())
    found.append(strict.recover_session("", saver, directory)[1])
    found.append(raised(strict.prepare_session, "", other.initializer, saver, directory))
    return found


@program
def log_of_a_session_manager(tf, directory):
    lines = []

    class Handler(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    log = logging.getLogger("tensorflow" if tf.__name__.startswith("tensorflow") else "monitored")
    handler, level = Handler(), log.level
    log.addHandler(handler)
    log.setLevel("INFO")
    try:
        init = model(tf)
        scaffold = tf.train.Scaffold(init_op=init).finalize()
        for ready_for_local in (scaffold.ready_for_local_init_op, None):
            manager = tf.train.SessionManager(
                local_init_op=scaffold.local_init_op if ready_for_local is not None else None,
                ready_op=scaffold.ready_op,
                ready_for_local_init_op=ready_for_local,
            )
            sess = manager.prepare_session("", scaffold.init_op)
            scaffold.saver.save(sess, os.path.join(directory, "m"), 1)
            manager.recover_session("", scaffold.saver, directory)
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
    return [line for line in lines if "deprecated" not in line and "Instructions" not in line]


# -- looking into checkpoints -----------------------------------------------------------------------------------------


@program
def looking_into_checkpoints(tf, directory):
    init = model(tf)
    with tf.Session() as sess:
        sess.run(init)
        path = tf.train.Saver().save(sess, os.path.join(directory, "m"), 1)
    reader = tf.train.NewCheckpointReader(path)
    empty = os.path.join(directory, "empty")
    os.mkdir(empty)
    return [
        reader.get_variable_to_shape_map(),
        {name: dtype.name for name, dtype in reader.get_variable_to_dtype_map().items()},
        reader.debug_string().decode(),
        [reader.has_tensor("w"), reader.has_tensor("w:0")],
        [type(reader.get_tensor(name)).__name__ for name in ("w", "global_step")],
        raised(reader.get_tensor, "none"),
        raised(tf.train.NewCheckpointReader, path + "0"),
        raised(tf.train.load_checkpoint, empty),
        raised(tf.train.load_checkpoint, path + "0"),
        tf.train.list_variables(directory),
        tf.train.list_variables(path),
        tf.train.load_variable(directory, "w:0").tolist(),
        int(tf.train.load_variable(path, "global_step")),
        raised(tf.train.load_variable, path, "none"),
    ]
