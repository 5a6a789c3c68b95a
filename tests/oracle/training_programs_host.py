"""Programs of Python functions, checks and summaries; see `training_programs`."""

import base64

import numpy as np

from oracle.programs import Group, collections, error
from oracle.training_programs import Steps, array, directory, events, nodes

py_func = Group("py_func")
checks = Group("checks")
summaries = Group("summaries")


# -- Python functions -----------------------------------------------------------------------------------------


def same(*values):
    return values


@py_func
def graph(tf):
    a = tf.py_func(same, [tf.constant(1.0)], tf.float32)
    b = tf.py_func(same, [1.0, 2], [tf.float32, tf.int32], stateful=False, name="named")
    c = tf.numpy_function(same, [1.0], tf.float32)
    d = tf.py_func(same, [], [])
    return [nodes(tf), [str(a.shape), [t.dtype.name for t in b], c.name, d.name, d.type]]


@py_func
def arguments(tf):
    seen = []

    def look(x):
        seen.append([type(x).__name__.rstrip("_"), str(getattr(x, "dtype", "")), list(getattr(x, "shape", []))])
        return np.float32(1)

    with tf.Session() as session:
        for value in (1.0, [1.0, 2.0], "abc", ["a", "b"], True, np.int64(3), [[1, 2]]):
            session.run(tf.py_func(look, [value], tf.float32))
    return seen


@py_func
def results(tf):
    given = [
        (1, tf.int64), (1.0, tf.float64), ("a", tf.string), ("\u00e9", tf.string), (None, []), ((1,), [tf.int64]),
        ([1], [tf.int64]), ((1, 2), [tf.int64, tf.int64]), (np.float32(2), tf.float32), (True, tf.bool), ([], []),
        (np.array(["x", "yy"]), tf.string), (np.array([b"x", b"\0y"]), tf.string),
        (np.zeros([2, 2], np.float32), tf.float32),
    ]  # fmt: skip
    with tf.Session() as session:
        steps = Steps(session)
        for value, types in given:
            steps.run(tf.py_func(lambda v=value: v, [], types))
        return steps.shown


@py_func
def wrong_results(tf):
    given = [
        (1, tf.float32), (1, tf.int32), ([1, 2], tf.int64), (None, tf.float32), (3, []), ([1], [tf.int64, tf.int64]),
        ((1, 2), [tf.int64]), (np.float32(2), tf.float64), (np.zeros([2]), tf.float32), (object(), tf.float32),
        ({}, tf.float32), (np.array(["x", 3], object), tf.string), ([], tf.float32),
    ]  # fmt: skip
    shown = []
    with tf.Session() as session:
        for value, types in given:
            kind, text = error(lambda v=value, t=types: session.run(tf.py_func(lambda: v, [], t)))
            words = text.split()
            shown.append([kind, " ".join(w for w in words if not w.startswith("pyfunc_"))])
    return shown


@py_func
def exceptions(tf):
    class OfMyOwn(Exception):
        pass

    shown = []
    with tf.Session() as session:
        for raised in (
            StopIteration(), StopIteration("x"), TypeError("t"), ValueError("v"), MemoryError("m"),
            NotImplementedError("n"), KeyError("k"), OfMyOwn("mine"), ArithmeticError("a"), IndexError("i"),
            AssertionError("as"),
        ):  # fmt: skip

            def fail(x, raised=raised):
                raise raised

            shown.append(error(lambda f=fail: session.run(tf.py_func(f, [1.0], tf.float32))))
    return shown


@py_func
def changed_arguments(tf):
    def change(x):
        x[0] = 7
        return x

    fed, placeholder = array(1, 2), tf.placeholder(tf.float32, [2])
    constant = tf.constant([1.0, 2.0])
    with tf.Session() as session:
        steps = Steps(session)
        steps.run([constant, tf.py_func(change, [constant], tf.float32)])
        steps.run(tf.py_func(change, [placeholder], tf.float32), {placeholder: fed})
        return [*steps.shown, fed]


@py_func
def bad_arguments(tf):
    return [error(lambda: tf.py_func(3, [1.0], tf.float32)), error(lambda: tf.py_func(same, 3.0, tf.float32))]


# -- checks ---------------------------------------------------------------------------------------------------

_PAIRS = (
    "assert_equal",
    "assert_none_equal",
    "assert_less",
    "assert_less_equal",
    "assert_greater",
    "assert_greater_equal",
)
_SIGNS = ("assert_positive", "assert_non_negative", "assert_negative", "assert_non_positive")


def _check(tf, build):
    """What a check says: while the graph is built, and for three feeds."""
    with tf.Graph().as_default():
        x, y = tf.placeholder(tf.float32, [2], name="x"), tf.placeholder(tf.float32, [2], name="y")
        i = tf.placeholder(tf.int32, None, name="i")
        made = []
        failed = error(lambda: made.append(build(x, y, i)))
        if not made:
            return failed
        with tf.Session() as session:
            steps = Steps(session)
            for feeds in ([[1, 2], [1, 3], 3], [[-1, 2], [-1, 2], [1, 2]], [[0, 2], [2, -3], [[1]]]):
                steps.run(made[0], dict(zip((x, y, i), feeds)))  # noqa: B905  (Python 3.7)
            return steps.shown


@checks
def pairs(tf):
    shown = []
    for name in _PAIRS:
        check = getattr(tf, name)
        shown.append(_check(tf, lambda x, y, i, c=check: c(x, y)))
        shown.append(_check(tf, lambda x, y, i, c=check: c([1, 2], [1, 3], message="a text")))
        shown.append(_check(tf, lambda x, y, i, c=check: c([1, 2], [2, 1])))
        shown.append(_check(tf, lambda x, y, i, c=check: c(x, 1.0, message="m", data=["d", y], summarize=1, name="n")))
        shown.append(_check(tf, lambda x, y, i, c=check: c([1], [1.0])))
    return shown


@checks
def signs(tf):
    shown = []
    for name in _SIGNS[:3]:
        check = getattr(tf, name)
        shown.append(_check(tf, lambda x, y, i, c=check: c(x)))
        shown.append(_check(tf, lambda x, y, i, c=check: c([-1, 0, 1], message="a text")))
        shown.append(_check(tf, lambda x, y, i, c=check: c(x, message="m", name="n")))
    return shown


@checks
def near(tf):
    return [
        _check(tf, lambda x, y, i: tf.assert_near(x, y)),
        _check(tf, lambda x, y, i: tf.assert_near(x, y, atol=5.0, message="m")),
    ]


@checks
def ranks(tf):
    shown = []
    checks_ = (("assert_rank", 1, 2), ("assert_rank_at_least", 1, 2), ("assert_rank_in", (1, 3), (1, 2)))
    for name, rank, other in checks_:
        check = getattr(tf, name)
        for wanted in (rank, other):
            shown.append(_check(tf, lambda x, y, i, c=check, w=wanted: c(x, w)))
            shown.append(_check(tf, lambda x, y, i, c=check, w=wanted: c(i, w, message="m")))
        shown.append(_check(tf, lambda x, y, i, c=check, w=rank: c(i, w, data=["d"])))
    shown.append(_check(tf, lambda x, y, i: tf.assert_rank(x, i)))
    shown.append(_check(tf, lambda x, y, i: tf.assert_rank(x, 1.5)))
    shown.append(_check(tf, lambda x, y, i: tf.assert_rank(x, [1])))
    return shown


@checks
def types(tf):
    return [
        _check(tf, lambda x, y, i: tf.assert_integer(i)),
        _check(tf, lambda x, y, i: tf.assert_integer(x, message="m")),
        _check(tf, lambda x, y, i: tf.assert_type(x, tf.float32)),
        _check(tf, lambda x, y, i: tf.assert_type(x, tf.int32, message="m")),
        error(lambda: tf.debugging.assert_scalar(tf.zeros([2], name="z"))),
        error(lambda: tf.assert_proper_iterable([1])),
        error(lambda: tf.assert_proper_iterable("abc")),
        error(lambda: tf.assert_proper_iterable(np.zeros(3))),
        error(lambda: tf.assert_proper_iterable(3)),
    ]


@checks
def assertions(tf):
    values = [
        1.5, [1, 2, 3, 4, 5], [[1, 2, 3], [4, 5, 6]], [[[1, 2], [3, 4]], [[5, 6], [7, 8]]], "ab", ["a", "b", "c", "d"],
        [1e-10, 1e10, 123456789.0, 0.1, 1 / 3.0, float("nan"), float("inf"), -0.0, 100000.0, 1e6], True,
        np.array([0.1, 1 / 3.0]), np.array([1, 255], np.uint8), np.array([0.1, 2], np.float16),
        "it's \"quoted\"\n", np.zeros([0], np.float32),
    ]  # fmt: skip
    no = tf.placeholder(tf.bool, [], name="no")
    shown = []
    with tf.Session() as session:
        for value in values:
            for limit in (1, 3, 4, -1, None):
                check = tf.Assert(no, [value], summarize=limit)
                shown.append(error(lambda c=check: session.run(c, {no: False})))
        session.run(check, {no: True})
    return shown


# -- summaries ------------------------------------------------------------------------------------------------


def described(tf, serialized):
    """What a summary holds: tags and values, images by their pixels' encoding aside."""
    found = []
    for value in tf.Summary.FromString(serialized).value:
        kind = value.WhichOneof("value")
        if kind == "histo":
            h = value.histo
            what = [h.min, h.max, h.num, h.sum, h.sum_squares, list(h.bucket_limit), list(h.bucket)]
        elif kind == "image":
            what = [value.image.height, value.image.width, value.image.colorspace]
        elif kind == "audio":
            what = base64.b64encode(value.audio.encoded_audio_string).decode()
        elif kind == "tensor":
            what = [value.tensor.dtype, [d.size for d in value.tensor.tensor_shape.dim]]
        else:
            what = value.simple_value
        found.append([value.tag, kind, what, value.metadata.plugin_data.plugin_name, value.metadata.display_name])
    return found


@summaries
def graph_and_tags(tf):
    x = tf.constant(3.0, name="x")
    made = [tf.summary.scalar("loss", x), tf.summary.scalar("my loss!", x), tf.summary.scalar("loss", x, family="fam")]
    with tf.name_scope("sc"):
        made.append(tf.summary.scalar("loss", x))
        made.append(tf.summary.scalar("loss", x, family="fam"))
        made.append(tf.summary.histogram("h", [1.0, 2.0]))
        made.append(tf.summary.scalar("/a/b", x))
    made.append(tf.summary.histogram("h", tf.constant([1.0, 2.0]), collections=["c1"]))
    made.append(tf.summary.image("im", tf.zeros([5, 2, 2, 3])))
    made.append(tf.summary.text("tx", tf.constant(["a", "b"])))
    made.append(tf.summary.tensor_summary("ts", tf.constant([1, 2]), display_name="shown"))
    made.append(tf.summary.merge(made[:2]))
    made.append(tf.summary.merge_all())
    made.append(tf.summary.merge(made[:2], name="both"))
    made.append(tf.summary.merge_all(scope="sc"))
    with tf.Session() as session:
        shown = [described(tf, session.run(each)) for each in made]
    return [nodes(tf), collections(tf), shown, tf.summary.merge_all("nothing")]


@summaries
def histograms(tf):
    random = np.random.RandomState(0)
    values = [
        [0], [-1, 0, 1, 1e-13, 1e21, -1e21, -1e-13, 5, 5, 5], random.randn(1000), random.lognormal(0, 5, 300),
        np.zeros([0]), [1e-12, -1e-12, 1e20, 1.1e-12], random.randint(0, 9, [4, 5]),
    ]  # fmt: skip
    shown = []
    for value in values:
        for kind in (np.float32, np.float64, np.int32):
            with np.errstate(all="ignore"):
                converted = np.asarray(value).astype(kind)
            with tf.Graph().as_default(), tf.Session() as session:
                shown.append(described(tf, session.run(tf.summary.histogram("h", converted))))
    return shown


@summaries
def bad_values(tf):
    with tf.Session() as session:
        steps = Steps(session)
        one = tf.summary.scalar("one", 1.0)
        steps.run(tf.summary.scalar("vector", [1.0, 2.0]))
        steps.run(tf.summary.histogram("nan", [float("nan"), 1.0]))
        steps.run(tf.summary.histogram("inf", [float("inf"), 1.0]))
        steps.run(tf.summary.merge([one, one]))
        steps.run(tf.summary.merge(["bad"]))
        steps.run(tf.summary.image("flat", np.zeros([1, 2, 2], np.float32)))
        steps.run(tf.summary.image("two", np.zeros([1, 2, 2, 2], np.float32)))
        steps.do(lambda: tf.summary.scalar("text", tf.constant("a")))
        steps.do(lambda: tf.summary.image("int", tf.zeros([1, 2, 2, 1], tf.int32)))
        steps.do(lambda: tf.summary.merge([]))
        steps.do(lambda: tf.summary.text("number", tf.constant(1.0, name="number")))
        return steps.shown


@summaries
def sounds(tf):
    sound = np.array([[0, 0.5, -0.5, 1, -1, 2, 0.3]], np.float32)
    with tf.Session() as session:
        one = session.run(tf.summary.audio("au", sound, 8000.0))
        two = session.run(
            tf.summary.audio("au", np.ones([2, 3, 2], np.float32) / 3, 44100.0, max_outputs=1, family="f")
        )
        return [described(tf, one), described(tf, two)]


@summaries
def files(tf):
    tf.constant(1.0, name="x")
    one = tf.Summary(value=[tf.Summary.Value(tag="t", simple_value=1.0)])
    with directory() as path:
        with tf.summary.FileWriter(path, tf.get_default_graph(), filename_suffix=".suffix") as writer:
            writer.add_summary(one, 5)
            writer.add_summary(one.SerializeToString())
            writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), 7)
            writer.add_event(tf.Event(step=3))
            writer.add_run_metadata(tf.RunMetadata(), "run", 4)
            writer.add_graph(tf.get_default_graph(), 9)
            twice = error(lambda: writer.add_run_metadata(tf.RunMetadata(), "run", 4))
            neither = error(lambda: writer.add_graph(3))
            both = error(lambda: writer.add_graph(tf.get_default_graph(), 1, tf.get_default_graph().as_graph_def()))
            wrong = error(lambda: writer.add_meta_graph(3))
        return [events(tf, path), twice, neither, both, wrong, writer.get_logdir() == path]
