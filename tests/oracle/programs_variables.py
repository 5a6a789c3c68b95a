"""Variables: their nodes, their initializers and their updates."""

import numpy as np

from oracle.programs import Group, collections, error, names, nodes

program = Group("variables")


@program
def nodes_of_a_variable(tf):
    w = tf.Variable(1.0, name="w")
    shown = [repr(w), w.name, w.op.name, w.dtype.name, str(w.shape), w.initializer.name, w.initial_value.name]
    reads = [w.value().name, w.read_value().name, w.read_value().name, tf.convert_to_tensor(w).name]
    return [shown, reads, nodes(tf), collections(tf), w.trainable]


@program
def nodes_of_a_callable_initial_value(tf):
    tf.Variable(lambda: tf.constant([1.0, 2.0]) * 2.0, name="w")
    tf.Variable([1.0, 2.0], name="w")
    tf.Variable([1.0, 2.0])
    return nodes(tf)


@program
def nodes_in_scopes(tf):
    with tf.name_scope("a"):
        w = tf.Variable(tf.constant([1.0, 2.0]), name="w")
        y = w + 1.0
        with tf.control_dependencies([y]):
            tf.Variable(3, name="v")
            tf.identity(w)
    return nodes(tf)


@program
def nodes_of_updates(tf):
    w = tf.Variable([1.0, 2.0], name="w")
    outputs = [
        w.assign(w + 1.0), w.assign_add([1, 1]), w.assign_sub([1, 1], name="mine"), tf.assign(w, [3, 4]),
        tf.assign_add(w, [1, 1]), tf.assign_sub(w, [1, 1]), tf.assign(w, [1], validate_shape=False),
        w.scatter_sub(tf.IndexedSlices(tf.constant([1.0]), tf.constant([0]))), tf.scatter_update(w, [0], [1.0]),
        tf.scatter_add(w, 0, 1.0),
    ]  # fmt: skip
    operation = w.assign_sub([1.0, 1.0], read_value=False)
    return [[[t.name, t.dtype.name, str(t.shape)] for t in outputs], operation.name, operation.type, nodes(tf)]


@program
def nodes_of_initializers(tf):
    w = tf.Variable(1.0, name="w")
    tf.Variable(2.0, name="x", trainable=False, collections=["mine", tf.GraphKeys.GLOBAL_VARIABLES])
    tf.Variable(3.0, name="y", collections=[tf.GraphKeys.LOCAL_VARIABLES])
    ops = [
        tf.global_variables_initializer(), tf.local_variables_initializer(), tf.global_variables_initializer(),
        tf.variables_initializer([]), tf.variables_initializer([w], name="only"),
    ]  # fmt: skip
    lists = [tf.global_variables(), tf.local_variables(), tf.trainable_variables(), tf.global_variables("w")]
    lists += [tf.trainable_variables("x"), tf.model_variables(), tf.moving_average_variables()]
    return [names(ops), [names(found) for found in lists], nodes(tf), collections(tf)]


@program
def protos(tf):
    with tf.name_scope("a"):
        w = tf.Variable(1.0, name="b", trainable=False)
    again = tf.Variable.from_proto(w.to_proto())
    inside = w.to_proto(export_scope="a")
    fields = ["variable_name", "initializer_name", "snapshot_name", "initial_value_name", "trainable"]
    shown = [[getattr(proto, field) for field in fields] for proto in (w.to_proto(), inside, again.to_proto())]
    return [shown, again.name, again.op is w.op, again.trainable, w.to_proto(export_scope="c") is None]


def _arguments(tf, **arguments):
    w = tf.Variable(**arguments)
    return [str(w.shape), w.dtype.name, w.trainable, str(w.initial_value.shape), w.initial_value.dtype.name]


for _name, _given in {
    "ints": {"initial_value": [1, 2]},
    "numbers_as_float64": {"initial_value": [1, 2], "dtype": "float64"},
    "numpy_float64": {"initial_value": np.float64([1, 2])},
    "strings": {"initial_value": ["a", "b"]},
    "booleans": {"initial_value": True},
    "expected_shape": {"initial_value": [1.0, 2.0], "expected_shape": [3]},
    "not_trainable": {"initial_value": 1.0, "trainable": False},
    "not_validated": {"initial_value": [1.0, 2.0], "validate_shape": False},
}.items():
    program.add("arguments_" + _name, lambda tf, given=_given: _arguments(tf, **given))


@program
def arguments_synchronization(tf):
    modes = tf.VariableSynchronization
    return [tf.Variable(1.0, synchronization=mode).trainable for mode in (modes.AUTO, modes.ON_READ, modes.NONE)]


_ERRORS = {
    "no_initial_value": lambda tf: tf.Variable(),
    "collections": lambda tf: tf.Variable(1.0, collections="mine"),
    "constraint": lambda tf: tf.Variable(1.0, constraint=3),
    "synchronization": lambda tf: tf.Variable(1.0, synchronization=4),
    "unknown_shape": lambda tf: tf.Variable(tf.placeholder(tf.float32)),
    "type": lambda tf: tf.Variable([1.0, 2.0], dtype=tf.int32),
    "iteration": lambda tf: iter(tf.Variable([1.0, 2.0])),
    "name": lambda tf: tf.Variable(1.0, name="a:0"),
    "assigned_type": lambda tf: tf.assign(tf.Variable([1.0]), tf.constant([1])),
    "slices": lambda tf: tf.Variable([1.0]).scatter_add(3),
}
for _name, _action in _ERRORS.items():
    program.add("error_" + _name, lambda tf, action=_action: error(lambda: action(tf)))


@program
def error_assigned_tensor(tf):
    return error(lambda: tf.assign(tf.constant([1.0]), [2.0]))[0]


@program
def error_assigned_shape(tf):
    w = tf.Variable([1.0, 2.0])
    updates = (tf.assign, tf.assign_add, tf.assign_sub)
    return [error(lambda update=update: update(w, [1.0, 2.0, 3.0]))[0] for update in updates]


@program
def values_of_updates(tf):
    w = tf.Variable([1.0, 2.0, 3.0], name="w")
    n = tf.Variable(5, name="n")
    slices = tf.IndexedSlices(tf.constant([10.0, 20.0]), tf.constant([0, 2]))
    shown = []
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for update in (
            w.assign([4.0, 5.0, 6.0]), w.assign_add([1.0, 1.0, 1.0]), w.assign_sub([2.0, 2.0, 2.0]), n.assign_add(3),
            w.scatter_add(slices), w.scatter_sub(slices), w.scatter_update(slices), tf.scatter_mul(w, [0], [2.0]),
            tf.scatter_div(w, [0], [4.0]), tf.scatter_min(w, [1, 2], [0.0, 100.0]), tf.scatter_max(w, [1], [7.0]),
            tf.scatter_add(w, [1, 1], [1.0, 1.0]), tf.scatter_nd_update(w, [[2]], [9.0]), tf.scatter_add(w, 0, 1.0),
            w.scatter_nd_add([[1], [2]], [1.0, 2.0]), w.scatter_nd_sub([[1], [2]], [5.0, 5.0]),
        ):  # fmt: skip
            shown.append(session.run(update))
        w.load([7.0, 8.0, 9.0], session)
        return [*shown, w.eval(), session.run(w.initial_value), session.run(w + 1.0), session.run(-w * 2.0)]


@program
def values_when_fed(tf):
    w = tf.Variable(1.0, name="w")
    doubled = w * 2.0
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        shown = [session.run([w, doubled], {w: 5.0}), session.run(doubled, {w.value(): 6.0})]
        return [shown, session.run([w, doubled])]


@program
def values_of_other_variables(tf):
    a = tf.Variable([1.0, 2.0], name="a")
    b = tf.Variable(a.initialized_value() * 2.0, name="b")
    c = tf.Variable(b * 3.0, name="c")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        first = session.run([a, b, c])
        session.run(a.assign([5.0, 5.0]))
        session.run([b.initializer, c.initializer][0])
        session.run(c.initializer)
        return [first, session.run([a, b, c])]


@program
def initialization(tf):
    a = tf.Variable([1.0, 2.0], name="a")
    tf.Variable(3, name="b", collections=[tf.GraphKeys.LOCAL_VARIABLES])
    report = tf.report_uninitialized_variables()
    only_a = tf.report_uninitialized_variables([a])
    none = tf.report_uninitialized_variables([])
    known = tf.is_variable_initialized(a)
    shown = [[str(t.shape), t.dtype.name] for t in (report, only_a, none, known)]
    with tf.Session() as session:
        shown.append(session.run([report, only_a, none, known]))
        shown.append(error(lambda: session.run(a))[0])
        session.run(tf.global_variables_initializer())
        shown.append(session.run([report, only_a, none, known]))
        session.run(tf.local_variables_initializer())
        shown.append(session.run([report, only_a, none, known]))
    return shown


@program
def shape_that_changes(tf):
    w = tf.Variable([1.0, 2.0], validate_shape=False)
    longer = tf.assign(w, [1.0, 2.0, 3.0], validate_shape=False)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return [session.run(w), session.run(longer), session.run(w), session.run(w * 2.0)]


@program
def inside_a_branch(tf):
    made = []

    def branch():
        made.append(tf.Variable(lambda: tf.constant([1.0, 2.0]), name="inner"))
        return made[0] + 1.0

    result = tf.cond(tf.constant(True), branch, lambda: tf.constant([0.0, 0.0]))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return [made[0].name, names(tf.global_variables()), session.run(result)]


@program
def error_inside_a_branch(tf):
    def branch():
        return tf.Variable(tf.constant(1.0) + 1.0) + 1.0

    return error(lambda: tf.cond(tf.constant(True), branch, lambda: tf.constant(2.0)))
