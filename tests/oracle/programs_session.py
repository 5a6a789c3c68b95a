"""Programs on sessions: what can be fetched and fed, what comes back, and what errors say."""

import collections
import threading

import numpy as np

from oracle.programs import Group, error

case = Group("session")

Pair = collections.namedtuple("Pair", ["first", "second"])


def shown(value):
    """A result: its type, and what is in it."""
    kind = type(value).__name__.rstrip("_")  # bool_ in older NumPys
    if isinstance(value, dict):
        return [kind, [[str(k), shown(v)] for k, v in value.items()]]
    if hasattr(value, "_fields"):
        return [kind, list(value._fields), [shown(v) for v in value]]
    if isinstance(value, (list, tuple)):
        return [kind, [shown(v) for v in value]]
    if isinstance(value, np.ndarray):
        items = value.tolist()
        return [kind, value.dtype.name, list(value.shape), items if value.dtype.kind in "bfiu" else shown(items)]
    if isinstance(value, bytes):
        return [kind, value.decode()]
    if isinstance(value, complex):
        return [kind, str(value)]
    if isinstance(value, np.generic):
        return [kind, value.item()]
    return [kind, value]


# -- fetching --------------------------------------------------------------------------------------------------


@case
def fetches_of_every_kind(tf):
    x = tf.constant([1.0, 2.0], name="x")
    n = tf.constant(3, name="n")
    text = tf.constant("hello", name="text")
    v = tf.get_variable("v", initializer=5.0)
    group = tf.group(x, n, name="group")
    fetches = [
        x, n, text, v, group, x.op, "x:0", "group", "v", "v:0", v.initializer, [x, n], (x, n), [x], (x,), [], (), {},
        {"a": x, "b": [n, {"c": group}]}, Pair(x, n), Pair([x, group], {"k": n}), [[], [[]], ({},)],
        collections.OrderedDict([("z", x), ("a", n)]), [x, x, [x]], {"a": "x:0"}, [Pair(n, (n, [n]))],
        tf.constant(True), tf.constant([[True]]), tf.constant(["a", "b"]), tf.constant(1.5, tf.float64),
        tf.constant([], tf.int64), tf.zeros([0, 3]), tf.constant(2, tf.uint8), tf.constant([1 + 2j]),
        tf.constant(7, tf.int64), tf.ones([2, 2], tf.float16),
    ]  # fmt: skip
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return [shown(session.run(fetch)) for fetch in fetches]


@case
def a_defaultdict(tf):
    fetches = collections.defaultdict(list, {"a": tf.constant(1)})
    with tf.Session() as session:
        return shown(session.run(fetches))[1]


@case
def indexed_slices(tf):
    slices = tf.IndexedSlices(tf.constant([[1.0], [2.0]]), tf.constant([3, 1]), tf.constant([5, 1]))
    bare = tf.IndexedSlices(tf.constant([[1.0]]), tf.constant([0]))
    with tf.Session() as session:
        found = session.run([slices, bare])
        return [type(found[0]).__name__, *[shown(found[0][i]) for i in range(3)], shown(found[1][2])]


@case
def what_cannot_be_fetched(tf):
    tf.constant(1.0, name="x")
    with tf.Graph().as_default():
        other = tf.constant(1.0, name="other")
    things = [None, 5, 1.5, [None], {"a": None}, "missing", "missing:0", "x:1", "x:a", other, [other.op], object]
    with tf.Session() as session:
        return [error(lambda t=thing: session.run(t)) for thing in things]


@case
def what_cannot_be_hashed(tf):
    tf.constant(1.0, name="x")
    with tf.Session() as session:
        return [error(lambda t=thing: session.run(t))[0] for thing in (np.ones(2), {1, 2}, iter([1]))]


@case
def a_fetch_that_is_fed(tf):
    x = tf.placeholder(tf.float32, [None], name="x")
    y = x * 2.0
    with tf.Session() as session:
        return [shown(session.run(fetch, {x: [1.0], y: [7.0]})) for fetch in (x, y, [x, y], y + 1.0)]


@case
def a_variable_as_fetched_before_the_run(tf):
    v = tf.get_variable("v", initializer=1.0)
    with tf.control_dependencies([v]):
        pass
    with tf.Session() as session:
        session.run(v.initializer)
        with tf.control_dependencies([v.assign_add(1.0)]):
            after = v.read_value()
        return [shown(session.run(after)), shown(session.run(v))]


# -- feeding ---------------------------------------------------------------------------------------------------


@case
def feeds_of_every_kind(tf):
    x = tf.placeholder(tf.float32, [None], name="x")
    n = tf.placeholder(tf.int32, [], name="n")
    text = tf.placeholder(tf.string, name="text")
    flag = tf.placeholder(tf.bool, name="flag")
    c = tf.constant(1.0, name="c")
    v = tf.get_variable("v", initializer=1.0)
    doubled = c * 2.0
    read = v * 1.0
    big = tf.placeholder(tf.int64, name="big")
    free = tf.placeholder(tf.float32, name="free")
    feeds = [
        (x, {x: [1, 2]}), (x, {x: (1.5,)}), (x, {x: np.array([1.0])}), (x, {x: np.array([1], np.int8)}),
        (x, {"x:0": [3.0]}), (x, {x: []}), (x, {x: [np.float64(1.0), 2]}), (n, {n: 5}), (n, {n: np.int64(5)}),
        (n, {n: np.array(6)}), (n, {n: True}), (n, {n: 1.5}), (text, {text: "a"}), (text, {text: b"b"}),
        (text, {text: ["a", b"b"]}), (text, {text: np.array([["a"]])}), (text, {text: [["a"], ["b"]]}),
        (flag, {flag: True}), (flag, {flag: [0, 1]}), (flag, {flag: 3}), (doubled, {c: 4.0}), (doubled, {doubled: 9}),
        (read, {v: 7.0}), (big, {big: 2**40}), (free, {free: 1}), (free, {free: [[1], [2]]}), (c, {}), (c, None),
        (free, {free: np.ones([2, 0])}), (n, {n: [7][0]}), (x, {x: range(3)}), (text, {text: "\u00e9"}),
    ]  # fmt: skip
    found = []
    with tf.Session() as session:
        session.run(v.initializer)
        for fetch, feed in feeds:
            try:
                found.append(shown(session.run(fetch, feed)))
            except Exception as e:
                found.append(type(e).__name__)
    return found


@case
def what_cannot_be_fed(tf):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    n = tf.placeholder(tf.int32, [], name="n")
    small = tf.placeholder(tf.uint8, [], name="small")
    c = tf.constant(1.0, name="c")
    with tf.Graph().as_default():
        other = tf.constant(1.0, name="other")
    feeds = [
        {x: [1.0]}, {x: [[1.0]]}, {x: 1.0}, {n: [5]}, {c: [1.0]}, {x: "text"}, {x: None}, {x: [["a", "b", "c"]]},
        {x: [[1.0], [1.0, 2.0]]}, {n: 2**40}, {small: 256}, {small: -1}, {n: c}, {n: n}, {"missing:0": 1}, {"c": 1},
        {other: 1.0}, {5: 1}, {None: 1}, {c.op: 1.0}, [1], "text", 5, {n: "5"},
    ]  # fmt: skip
    with tf.Session() as session:
        return [error(lambda f=feed: session.run(c, f)) for feed in feeds]


@case
def a_placeholder_that_is_not_fed(tf):
    x = tf.placeholder(tf.float32, [2], name="x")
    y = tf.placeholder(tf.int64, name="y")
    z = tf.placeholder(tf.string, [None, 3], name="s/z")
    scalar = tf.placeholder(tf.float64, [], name="scalar")
    half, empty = tf.placeholder(tf.float16, [1], name="half"), tf.placeholder(tf.bool, [0, 2], name="empty")
    with tf.Session() as session:
        tensors = (x, x + 1.0, y, tf.identity(z), x.op, scalar, half, empty)
        return [error(lambda t=t: session.run(t)) for t in tensors]


@case
def a_placeholder_with_default(tf):
    x = tf.placeholder_with_default([1.0, 2.0], [None], name="x")
    with tf.Session() as session:
        return [shown(session.run(x)), shown(session.run(x * 2.0, {x: [5.0]}))]


# -- the session -----------------------------------------------------------------------------------------------


@case
def the_constructor(tf):
    tf.constant(1.0)
    calls = [
        lambda: tf.Session(graph=5), lambda: tf.Session(5), lambda: tf.Session(config=5), lambda: tf.Session(config={}),
    ]  # fmt: skip
    graph = tf.get_default_graph()
    with tf.Session(config=tf.ConfigProto(allow_soft_placement=True)) as session:
        found = [session.graph is graph, session.sess_str, len(session.graph_def.node)]
    return [*[error(call) for call in calls], *found]


@case
def a_closed_session(tf):
    x = tf.constant(1.0, name="x")
    session = tf.Session()
    session.run(x)
    session.close()
    session.close()
    again = tf.Session()
    with again:
        pass
    never = tf.Session()
    never.close()
    return [error(lambda s=s: s.run(x)) for s in (session, again, never)]


@case
def an_empty_graph(tf):
    with tf.Session() as session:
        return [error(lambda: session.run([])), error(lambda: session.run("x"))]


@case
def default_sessions(tf):
    x = tf.constant(1.0, name="x")
    found = [tf.get_default_session() is None]
    with tf.Session() as outer:
        found += [tf.get_default_session() is outer, shown(x.eval()), tf.get_default_graph() is outer.graph]
        with tf.Graph().as_default():
            tf.constant(2.0)
            inner = tf.Session()
            with inner.as_default() as given:
                found += [tf.get_default_session() is inner, given is inner]
            found += [shown(inner.run("Const:0")), tf.get_default_session() is outer]
            inner.close()
        seen = []
        thread = threading.Thread(target=lambda: seen.append(tf.get_default_session() is None))
        thread.start()
        thread.join()
        found += seen
    return [*found, tf.get_default_session() is None]


@case
def a_session_within_a_block_of_another_graph(tf):
    graph = tf.get_default_graph()
    x = tf.constant(1.0, name="x")
    session = tf.Session(graph=graph)
    with tf.Graph().as_default() as other:
        with session:
            found = [tf.get_default_graph() is graph, shown(session.run(x))]
        return [*found, tf.get_default_graph() is other]


@case
def interactive_session(tf):
    x = tf.constant(1.0, name="x")
    session = tf.InteractiveSession()
    found = [tf.get_default_session() is session, shown(x.eval())]
    session.close()
    return [*found, tf.get_default_session() is None]


@case
def each_session_has_its_own_variables(tf):
    v = tf.get_variable("v", initializer=1.0)
    add = v.assign_add(1.0)
    one, two = tf.Session(), tf.Session()
    one.run(v.initializer)
    found = [shown(one.run(add)), error(lambda: two.run(v))[0]]
    two.run(v.initializer)
    found += [shown(one.run(v)), shown(two.run(v)), shown(two.run(add)), shown(one.run(v))]
    one.close()
    found.append(shown(two.run(v)))
    two.close()
    return found


@case
def a_graph_that_grows(tf):
    x = tf.constant(1.0, name="x")
    with tf.Session() as session:
        found = [shown(session.run(x))]
        y = x + 1.0
        found.append(shown(session.run(y)))
        v = tf.get_variable("v", initializer=3.0)
        session.run(v.initializer)
        return [*found, shown(session.run(v + y))]


@case
def variables_without_values(tf):
    v = tf.get_variable("v", initializer=1.0)
    w = tf.get_variable("scope/w", initializer=[1, 2])
    with tf.Session() as session:
        fetches = [v, v + 1.0, v.assign_add(1.0), w.assign_sub([1, 1]), "scope/w:0", [v.initializer, w]]
        found = [error(lambda f=fetch: session.run(f)) for fetch in fetches]
        return [*found, shown(session.run(tf.report_uninitialized_variables()))]


@case
def callables(tf):
    x = tf.placeholder(tf.float32, [], name="x")
    y = tf.placeholder(tf.float32, [], name="y")
    z = tf.subtract(x, y)
    with tf.Session() as session:
        two = session.make_callable(z, [x, y])
        structure = session.make_callable([z, {"a": y}], feed_list=[y, x])
        constant = session.make_callable(tf.constant(5))
        nothing = session.make_callable(tf.no_op(), [x])
        found = [shown(two(5.0, 3)), shown(structure(1, 2)), shown(constant()), shown(nothing(1))]
        found += [error(lambda: two(1.0))[0], error(lambda: session.make_callable("missing"))[0]]
        with_options = session.make_callable(z, [x, y], accept_options=True)
        metadata = tf.RunMetadata()
        return [*found, shown(with_options(1, 2, options=tf.RunOptions(), run_metadata=metadata))]


@case
def the_same_names_in_two_graphs(tf):
    values = []
    for value in (1.0, 2.0):
        with tf.Graph().as_default(), tf.Session() as session:
            tf.constant(value, name="x")
            values.append(shown(session.run("x:0")))
    return values


@case
def control_dependencies_order_effects(tf):
    v = tf.get_variable("v", initializer=1.0)
    add = v.assign_add(1.0)
    with tf.control_dependencies([add]):
        double = v.assign(v.read_value() * 10.0)
    with tf.control_dependencies([double]):
        last = v.assign_sub(5.0)
    with tf.Session() as session:
        session.run(v.initializer)
        return [shown(session.run(last)), shown(session.run(v)), shown(session.run(add)), shown(session.run(v))]


@case
def a_failing_operation(tf):
    x = tf.placeholder(tf.float32, [None], name="x")
    checked = tf.check_numerics(x, "the message", name="scope/check")
    with tf.Session() as session:
        found = [shown(session.run(checked, {x: [1.0]}))]
        try:
            session.run(checked, {x: [np.nan]})
        except tf.errors.OpError as e:
            found += [type(e).__name__, e.error_code, e.op.name, e.op is checked.op, e.node_def.op]
        return found


@case
def reshape_by_what_is_known_when_running(tf):
    x = tf.placeholder(tf.float32, name="x")
    n = tf.placeholder(tf.int32, [], name="n")
    own = tf.reshape(x, [tf.shape(x)[0], -1])
    given = tf.reshape(x, [n, -1])
    flat = tf.reshape(x, [tf.size(x)])
    value = np.arange(12.0).reshape([2, 3, 2])
    with tf.Session() as session:
        found = [shown(session.run(own, {x: v})) for v in (value, value[:1], np.ones([4, 2]))]
        found += [shown(session.run(given, {x: value, n: k})) for k in (1, 2, 3, 12, 2)]
        found.append(error(lambda: session.run(given, {x: value, n: 5}))[0])
        return [*found, shown(session.run(flat, {x: value})), own.shape.as_list(), given.shape.as_list()]


@case
def conditions_with_effects(tf):
    v = tf.get_variable("v", initializer=1.0)
    w = tf.get_variable("w", initializer=10.0)
    up = tf.placeholder(tf.bool, [], name="up")
    chosen = tf.cond(up, lambda: v.assign_add(1.0), lambda: w.assign_sub(1.0))
    with tf.Session() as session:
        session.run([v.initializer, w.initializer])
        found = []
        for value in (True, True, False, True):
            found.append([shown(session.run(chosen, {up: value})), shown(session.run([v, w]))])
        return found


@case
def gradients_of_conditions(tf):
    x = tf.placeholder(tf.float32, [], name="x")
    v = tf.get_variable("v", initializer=3.0)
    y = tf.cond(x > 0.0, lambda: v * x * x, lambda: v * v + x)
    gradients = tf.gradients(y, [x, v])
    with tf.Session() as session:
        session.run(v.initializer)
        return [shown(session.run([y, gradients], {x: value})) for value in (2.0, -2.0)]


@case
def gradients_of_gradients(tf):
    x = tf.placeholder(tf.float32, [], name="x")
    y = x * x * x + tf.sin(x)
    first = tf.gradients(y, x)[0]
    second = tf.gradients(first, x)[0]
    third = tf.gradients(second, x)[0]
    with tf.Session() as session:
        return session.run([y, first, second, third], {x: 2.0})


@case
def feeds_of_several_tensors_at_once(tf):
    a, b, c = [tf.placeholder(tf.float32, [], name=name) for name in "abc"]
    total = a + 10.0 * b + 100.0 * c
    with tf.Session() as session:
        found = [
            shown(session.run(total, {(a, b): (1, 2), c: 3})),
            shown(session.run(total, {(a, (b, c)): (1, (2, 3))})),
            shown(session.run(total, {("a:0", b): [1, 2], c: 3})),
        ]
        bad = [{(a, b): (1,), c: 3}, {(a, b): 1, c: 3}, {(a, a): (1, 2), b: 3, c: 4}, {(a, b): (1, 2), a: 3, c: 4}]
        return [*found, *[error(lambda f=feed: session.run(total, f)) for feed in bad]]


@case
def indexed_slices_as_a_feed(tf):
    sliced = tf.IndexedSlices(tf.placeholder(tf.float32, [None], name="v"), tf.placeholder(tf.int32, [None], name="i"))
    both = [sliced.values * 2.0, sliced.indices + 1]
    fed = np.array([1.0, 2.0]), np.array([3, 4])
    with tf.Session() as session:
        return shown(session.run(both, {sliced: fed}))


@case
def one_output_of_several_is_fed(tf):
    first, second = tf.split(tf.constant([1.0, 2.0]), 2)
    both = first * 10.0 + second
    mean, variance = tf.nn.moments(tf.constant([1.0, 2.0, 3.0]), [0])
    calls = []

    def call():
        calls.append(1)
        return np.float32(1.0), np.float32(2.0)

    one, two = tf.py_func(call, [], [tf.float32, tf.float32])
    chosen = tf.cond(tf.constant(True), lambda: first + 1.0, lambda: second)
    gradients = tf.gradients(both, [first, second])
    with tf.Session() as session:
        runs = [
            ([first * 1.0, second, both], {first: [5.0]}), ([both], {second: [5.0]}),
            (both, {first: [5.0], second: [6.0]}), ([both, first.op], {first: [5.0]}),
            ([mean * 1.0, variance], {mean: 7.0}), ([one * 1.0, two], {one: 5.0}), ([one + two], {one: 5.0}),
            ([one + two], {one: 5.0, two: 6.0}),
            (chosen, {first: [5.0]}), ([both, gradients], {first: [5.0]}),
        ]  # fmt: skip
        return [*[shown(session.run(fetches, feed)) for fetches, feed in runs], len(calls)]


@case
def an_update_that_is_fed_and_run(tf):
    v = tf.get_variable("v", initializer=1.0)
    add = v.assign_add(1.0)
    double = add * 2.0
    with tf.control_dependencies([add]):
        later = tf.constant(3.0) * 2.0
    with tf.Session() as session:
        session.run(v.initializer)
        found = []
        for fetches in (double, [double, add.op], later):
            found.append([shown(session.run(fetches, {add: 100.0})), shown(session.run(v))])
        return found


@case
def waiting_for_what_is_fed(tf):
    x = tf.placeholder(tf.float32, [2], name="x")
    group = tf.group(x, name="group")
    with tf.control_dependencies([x]):
        y = tf.constant(1.0) + 1.0
    feed = {x: [1.0, 2.0]}
    with tf.Session() as session:
        found = [shown(session.run(group, feed)), shown(session.run(y, feed)), error(lambda: session.run(y))[0]]
        return [*found, error(lambda: session.run(x.op, feed))[0]]
