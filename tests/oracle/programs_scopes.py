"""Variable scopes and `get_variable`: names, sharing, defaults and errors."""

import numpy as np

from oracle.programs import Group, collections, error, names, nodes

program = Group("scopes")


def zeros(tf, name, shape=(2,)):
    return tf.get_variable(name, shape, initializer=tf.zeros_initializer())


@program
def nodes_of_get_variable(tf):
    with tf.name_scope("outer"):
        tf.get_variable("v", [2, 3])
        tf.get_variable("value", initializer=tf.constant([1.0, 2.0]))
        tf.get_variable("number", initializer=1.5)
        tf.get_variable("ints", [2], tf.int32)
        tf.get_variable("flags", [2], tf.bool)
        tf.get_variable("words", [2], tf.string)
        tf.get_variable("class", [2], initializer=tf.zeros_initializer)
        tf.get_variable("function", [2], initializer=lambda shape, dtype, partition_info: tf.ones(shape, dtype))
        tf.get_variable("no_arguments", initializer=lambda: tf.ones([3]))
        tf.get_variable("normal", [2], initializer=tf.truncated_normal_initializer(stddev=0.1))
        tf.get_variable("array", initializer=np.arange(3))
        tf.get_variable("list", initializer=[1, 2])
    return [nodes(tf), collections(tf)]


@program
def nodes_of_regularizers(tf):
    def regularizer(x):
        return x * 0.1

    with tf.variable_scope("s", regularizer=regularizer):
        zeros(tf, "a")
        tf.get_variable("b", [2], initializer=tf.zeros_initializer(), regularizer=tf.no_regularizer)
        with tf.variable_scope("t", reuse=tf.AUTO_REUSE):
            zeros(tf, "c")
            zeros(tf, "c")
    return [nodes(tf), collections(tf)]


@program
def names_in_scopes(tf):
    shown = []

    def make(name, scope):
        v = tf.get_variable(name, [2], initializer=tf.zeros_initializer())
        shown.append([v.name, tf.constant(1).name, scope.name, scope.original_name_scope])
        shown.append(tf.get_variable_scope().name)

    with tf.variable_scope("s") as s:
        make("w", s)
        with tf.variable_scope("t") as t:
            make("w", t)
        with tf.variable_scope("t", reuse=True) as t:
            make("w", t)
        for _ in range(2):
            with tf.variable_scope(None, "t") as t:
                make("w", t)
        with tf.variable_scope(None, "u", [tf.constant(1)]) as t:
            make("w", t)
    with tf.variable_scope(s, reuse=True) as again:
        make("w", again)
    with tf.variable_scope(s, auxiliary_name_scope=False) as again:
        make("w2", again)
    with tf.variable_scope("x", auxiliary_name_scope=False) as again:
        make("w2", again)
    with tf.name_scope("n"):
        with tf.variable_scope(s) as again:
            make("w4", again)
        with tf.variable_scope("q") as q:
            make("w4", q)
            shown.append(tf.Variable(1.0, name="plain").name)
            with tf.variable_scope("r") as r:
                make("w", r)
                with tf.variable_scope(s) as again:
                    make("w5", again)
                with tf.variable_scope("inner"):
                    make("w", r)
        with tf.variable_scope("", reuse=tf.AUTO_REUSE) as root:
            make("w4", root)
            shown.append(tf.Variable(1.0, name="plain").name)
        with tf.variable_scope(tf.get_variable_scope(), reuse=tf.AUTO_REUSE) as root:
            make("w4", root)
    with tf.variable_scope("tt", default_name="u") as t:
        make("w", t)
    with tf.variable_scope("a/b") as t:
        make("w", t)
    with tf.variable_scope(t) as t:
        make("w2", t)
    scope = tf.variable_scope("again")
    for name in ("one", "two"):
        with scope as t:
            make(name, t)
    return shown


@program
def default_names(tf):
    def layer():
        with tf.variable_scope(None, "dense") as scope:
            return [zeros(tf, "w").name, tf.constant(0).name, scope.name]

    shown = [layer(), layer()]
    with tf.variable_scope("outer") as outer:
        shown += [layer(), layer()]
        with tf.variable_scope(None, "dense"):
            shown += [layer()]
    with tf.variable_scope(outer, reuse=True):
        shown += [layer()]
    with tf.variable_scope("outer"):
        with tf.variable_scope(None, "other") as other:
            shown.append(other.name)
    shown += [layer()]
    return shown


@program
def default_names_shared(tf):
    def layer():
        with tf.variable_scope(None, "dense"):
            return zeros(tf, "w").name

    shown = []
    with tf.variable_scope("model"):
        shown += [layer(), layer()]
    with tf.variable_scope("model", reuse=True):
        shown += [layer(), layer()]
    return [shown, names(tf.global_variables())]


@program
def reuse_is_inherited(tf):
    shown = []
    with tf.variable_scope("s") as s:
        zeros(tf, "w")
        shown.append(tf.get_variable_scope().reuse)
        tf.get_variable_scope().reuse_variables()
        shown += [tf.get_variable_scope().reuse, zeros(tf, "w").name]
        for given in (None, False, True, tf.AUTO_REUSE):
            with tf.variable_scope("inner", reuse=given) as inner:
                shown.append(str(inner.reuse).split(".")[-1])
    shown.append(str(tf.get_variable_scope().reuse))
    for given in (None, False, True, tf.AUTO_REUSE):
        with tf.variable_scope(s, reuse=given) as again:
            shown.append(str(again.reuse).split(".")[-1])
    with tf.variable_scope("other", reuse=tf.AUTO_REUSE):
        for given in (None, False, True):
            with tf.variable_scope("inner", reuse=given) as inner:
                shown.append(str(inner.reuse).split(".")[-1])
    return shown


@program
def sharing(tf):
    with tf.variable_scope("a", reuse=tf.AUTO_REUSE):
        one = zeros(tf, "w")
        two = tf.get_variable("w")
        three = tf.get_variable("w", [2])
        four = tf.get_variable("w", [None])
        five = tf.get_variable("w", initializer=tf.constant([1.0, 2.0]))
    return [one is two, two is three, three is four, four is five, names(tf.global_variables())]


@program
def defaults_of_scopes(tf):
    with tf.variable_scope("a", initializer=tf.constant_initializer(3.0), dtype=tf.float64) as a:
        v = tf.get_variable("v", [2])
        with tf.variable_scope("b", initializer=tf.ones_initializer()):
            w = tf.get_variable("w", [2], tf.float32)
        a.set_initializer(tf.constant_initializer(4.0))
        a.set_dtype(tf.float32)
        x = tf.get_variable("x", [2])
        lists = [a.global_variables(), a.trainable_variables(), a.local_variables(), a.get_collection("variables")]
    with tf.variable_scope("ab"):
        zeros(tf, "v")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        values = session.run([v, w, x])
    return [[t.dtype.name for t in (v, w, x)], values, [names(found) for found in lists], names(a.global_variables())]


@program
def custom_getters(tf):
    calls = []

    def getter_of(label):
        def getter(getter, name, *args, **kwargs):
            calls.append([label, name, sorted(kwargs)])
            return getter(name + "_" + label, *args, **kwargs)

        return getter

    shown = []
    with tf.variable_scope("s", custom_getter=getter_of("a")) as s:
        shown.append(zeros(tf, "v").name)
        with tf.variable_scope("t", custom_getter=getter_of("b")):
            shown.append(zeros(tf, "v").name)
            shown.append(tf.get_variable("w", [2], custom_getter=getter_of("c")).name)
    with tf.variable_scope(s, custom_getter=getter_of("d")):
        shown.append(zeros(tf, "x").name)
    with tf.variable_scope("scaled", custom_getter=lambda getter, *args, **kwargs: getter(*args, **kwargs) * 2.0):
        shown.append(zeros(tf, "v").name)
    return [shown, calls, names(tf.global_variables())]


@program
def local_variables(tf):
    v = tf.get_local_variable("v", [2])
    w = tf.get_local_variable("w", initializer=tf.constant(1), collections=["mine"])
    return [names([v, w]), v.trainable, collections(tf)]


@program
def other_scope_functions(tf):
    with tf.variable_op_scope([tf.constant(1)], None, "layer") as scope:
        v = zeros(tf, "v")
    return [v.name, scope.name, tf.get_variable_scope().name]


@program
def templates(tf):
    def layer(x, size):
        w = tf.get_variable("w", [size], initializer=tf.zeros_initializer())
        with tf.variable_scope("inner"):
            tf.get_local_variable("v", [size], initializer=tf.zeros_initializer())
        return [w.name, tf.add(x, 1, name="sum").name]

    one = tf.make_template("layer", layer, size=3)
    two = tf.make_template("layer", layer, size=2)
    now = tf.make_template("layer", layer, create_scope_now_=True, size=2)
    named = tf.make_template("layer", layer, unique_name_="mine", size=2)
    shown = [one(1), two(1), one(1), now(1), named(1), named(1)]
    with tf.variable_scope("elsewhere"):
        shown += [one(1), tf.make_template("layer", layer, size=2)(1)]
    shown += [[t.name, t.variable_scope.name] for t in (one, two, now, named)]
    return [shown, names(one.variables), names(one.trainable_variables), names(tf.global_variables())]


@program
def error_template_that_makes_more(tf):
    made = ["a"]

    def layer():
        return [tf.get_variable(name, [1]) for name in made]

    template = tf.make_template("layer", layer)
    template()
    made.append("b")
    return error(template)


def _in_scope(tf, scope, action, **arguments):
    with tf.variable_scope(scope, **arguments):
        return action()


def _after(tf, first, second):
    first()
    return second()


_GET = {
    "exists": lambda tf: _after(tf, lambda: tf.get_variable("a", [1]), lambda: tf.get_variable("a", [1])),
    "missing": lambda tf: _in_scope(tf, "s", lambda: tf.get_variable("a", [1]), reuse=True),
    "shape": lambda tf: _after(
        tf, lambda: tf.get_variable("a", [1]), lambda: _in_scope(tf, "", lambda: tf.get_variable("a", [2]), reuse=True)
    ),
    "dtype": lambda tf: _after(
        tf,
        lambda: tf.get_variable("a", [1]),
        lambda: _in_scope(tf, "", lambda: tf.get_variable("a", [1], tf.int32), reuse=True),
    ),
    "dtype_of_a_value": lambda tf: _after(
        tf,
        lambda: tf.get_variable("a", initializer=tf.constant(1)),
        lambda: _in_scope(tf, "", lambda: tf.get_variable("a", initializer=tf.constant(1)), reuse=True),
    ),
    "no_shape": lambda tf: tf.get_variable("a"),
    "unknown_size": lambda tf: tf.get_variable("a", [None, 2]),
    "shape_of_a_value": lambda tf: tf.get_variable("a", [2], initializer=tf.constant([1.0, 2.0])),
    "type_of_a_value": lambda tf: tf.get_variable("a", dtype=tf.int32, initializer=tf.constant([1.0, 2.0])),
    "complex": lambda tf: tf.get_variable("a", [2], dtype=tf.complex64),
    "arguments": lambda tf: tf.get_variable("a", initializer=lambda shape, dtype: tf.zeros([2])),
    "collections": lambda tf: tf.get_variable("a", [2], collections="mine"),
    "name": lambda tf: tf.get_variable("a:0", [1]),
    "scope_without_name": lambda tf: tf.variable_scope(None).__enter__(),
    "scope_is_a_number": lambda tf: tf.variable_scope(3).__enter__(),
    "reuse": lambda tf: tf.variable_scope("a", reuse=3).__enter__(),
    "reuse_without_name": lambda tf: tf.variable_scope(None, "a", reuse=True).__enter__(),
    "auto_reuse_without_name": lambda tf: tf.variable_scope(None, "a", reuse=tf.AUTO_REUSE).__enter__(),
}
for _name, _action in _GET.items():
    program.add("error_" + _name, lambda tf, action=_action: error(lambda: action(tf)))


@program
def step_errors(tf):
    shown = [str(tf.train.get_global_step())]
    tf.Variable(0, name="global_step")
    shown.append(tf.train.get_global_step().name)
    tf.add_to_collection(tf.GraphKeys.GLOBAL_STEP, tf.Variable(0.0))
    shown.append(error(tf.train.get_global_step))
    for made in (lambda: tf.Variable([0]), lambda: tf.Variable(0.0), lambda: 3, lambda: tf.placeholder(tf.int64)):
        shown.append(error(lambda made=made: tf.train.assert_global_step(made())))
    return shown


@program
def step(tf):
    with tf.name_scope("n"):
        made = tf.train.create_global_step()
    shown = [repr(made), tf.train.get_global_step() is made, tf.train.get_or_create_global_step() is made]
    shown += [error(tf.train.create_global_step), nodes(tf), collections(tf)]
    with tf.Session() as session:
        session.run(made.initializer)
        session.run(made.assign_add(5))
        return [*shown, tf.train.global_step(session, made), type(tf.train.global_step(session, made)).__name__]


@program
def step_in_a_scope(tf):
    with tf.variable_scope("s"):
        made = tf.train.get_or_create_global_step()
    other = tf.Graph()
    elsewhere = tf.train.create_global_step(other)
    return [made.name, elsewhere.name, elsewhere.graph is other, tf.train.get_global_step(other) is elsewhere]


@program
def creators_of_variables(tf):
    told = []

    def noting(next_creator, **kwargs):
        told.append(["noting", sorted(kwargs), kwargs["name"]])
        return next_creator(**kwargs)

    def fixing(next_creator, **kwargs):
        told.append(["fixing", kwargs["name"]])
        kwargs["trainable"] = False
        return next_creator(**kwargs)

    with tf.variable_creator_scope(noting):
        with tf.variable_creator_scope(fixing):
            a = tf.Variable(1.0, name="a")
            b = tf.get_variable("b", [2])
        c = tf.Variable(2.0)
        tf.get_variable("parts", [4], partitioner=tf.fixed_size_partitioner(2))
        with tf.variable_creator_scope(lambda next_creator, **kwargs: 5):
            five = tf.Variable(1.0)
    d = tf.Variable(1.0)
    tf.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_sum(b), var_list=[b])
    return [told, names([a, b, c, d]), five, names(tf.trainable_variables()), names(tf.global_variables())]
