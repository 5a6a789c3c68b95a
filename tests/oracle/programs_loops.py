"""Loops, arrays of tensors, functions along axes, and choices."""

import numpy as np

from oracle.programs import Group, error

program = Group("while")
X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], np.float32)


def run(tf, fetches, feeds=None):
    """The values of fetches, after the variables' initialization."""
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feeds)


def kind(action):
    """The class of what an action raises: messages differ."""
    return error(action)[0]


# -- while_loop -----------------------------------------------------------------------------------------------------


def _counted(tf, cond, step, start=0):
    return tf.while_loop(cond, lambda i, y: (i + step, y * 2 + i), [start, 1])


for _name, _args in {
    "less": (lambda i, _: i < 5, 1), "less_by_two": (lambda i, _: i < 5, 2), "less_equal": (lambda i, _: i <= 6, 2),
    "not_at_all": (lambda i, _: i < 0, 1), "turned_around": (lambda i, _: 5 > i, 1),  # noqa: SIM300
}.items():  # fmt: skip
    program.add("counted_" + _name, lambda tf, a=_args: run(tf, _counted(tf, *a)))

for _name, _start, _compare, _limit, _step in (
    ("greater", 7, "greater", 2, -2), ("greater_equal", 7, "greater_equal", 1, -2),
    ("not_equal", 9, "not_equal", 0, -3),
):  # fmt: skip
    program.add("counted_" + _name, lambda tf, s=_start, c=_compare, n=_limit, d=_step: run(
        tf, _counted(tf, lambda i, _: getattr(tf, c)(i, n), d, s)))  # fmt: skip


@program
def counted_with_two_limits(tf):
    return run(tf, _counted(tf, lambda i, y: tf.logical_and(i < 9, i < 4), 1))


@program
def counted_by_subtraction_and_a_fed_limit(tf):
    n = tf.placeholder(tf.int32, [])
    loop = tf.while_loop(lambda i, _: i > n, lambda i, y: (i - 1, y + i), [6, 0])
    return [run(tf, loop, {n: value}) for value in (0, 3, 9)]


@program
def structures(tf):
    start = {"a": tf.constant(1.0), "b": [tf.constant([1.0, 2.0]), (tf.constant(3),)]}

    def body(i, s):
        return i + 1, {"a": s["a"] * 2, "b": [s["b"][0] + s["a"], (s["b"][1][0] - 1,)]}

    i, end = tf.while_loop(lambda i, s: i < 3, body, [0, start])
    return run(tf, [i, end["a"], end["b"][0], end["b"][1][0]])


@program
def one_variable(tf):
    alone = tf.while_loop(lambda i: i < 3, lambda i: i + 1, [0])
    same = tf.while_loop(lambda i: i < 3, lambda i: [i + 1], [0], return_same_structure=True)
    return [run(tf, alone), isinstance(same, list), run(tf, same)]


@program
def data_decides(tf):
    x = tf.placeholder(tf.float32, [])
    loop = tf.while_loop(lambda i, y: y < 100.0, lambda i, y: (i + 1, y * x), [0, 1.5])
    limited = tf.while_loop(lambda i, y: y < 100.0, lambda i, y: [i + 1, y * x], [0, 1.5], maximum_iterations=3)
    return [run(tf, [loop, limited], {x: value}) for value in (2.0, 10.0, 500.0)]


@program
def gradients_of_a_counted_loop(tf):
    x = tf.placeholder(tf.float32, [2, 3])
    w = tf.Variable(X.T.copy())
    b = tf.constant([0.5, 1.5])
    _, y = tf.while_loop(
        lambda i, y: i < 4, lambda i, y: (i + 1, tf.tanh(tf.matmul(x, w) * y + b)), [0, tf.ones([2, 2])]
    )
    return run(tf, [y, *tf.gradients(y, [x, w, b])], {x: X})


@program
def gradients_of_a_bounded_loop(tf):
    x = tf.placeholder(tf.float32, [])
    _, y = tf.while_loop(lambda i, y: y < 20.0, lambda i, y: [i + 1, y * x], [0, x], maximum_iterations=6)
    return [run(tf, [y, *tf.gradients(y, x)], {x: value}) for value in (1.25, 2.0, 30.0)]


@program
def gradients_with_a_fed_limit(tf):
    x, n = tf.placeholder(tf.float32, []), tf.placeholder(tf.int32, [])
    _, y = tf.while_loop(lambda i, y: i < n * 2, lambda i, y: (i + 1, y * x), [0, x])
    gradient = tf.gradients(y, x)
    return [run(tf, [y, gradient], {x: 1.5, n: value}) for value in (0, 1, 3)]


@program
def gradients_of_a_loop_of_loops(tf):
    x = tf.constant(1.5)

    def outer(i, y):
        _, z = tf.while_loop(lambda j, z: j < 3, lambda j, z: (j + 1, z * x + 0.125), [0, y])
        return i + 1, z * 0.5

    _, y = tf.while_loop(lambda i, y: i < 2, outer, [0, x])
    return run(tf, [y, *tf.gradients(y, x)])


@program
def inner_loop_depends_on_the_outer_turn(tf):
    def outer(i, y):
        _, z = tf.while_loop(lambda j, z: j < i, lambda j, z: (j + 1, z + j + 1), [0, y])
        return i + 1, z

    return run(tf, tf.while_loop(lambda i, y: i < 5, outer, [0, 0]))


@program
def second_derivative(tf):
    x = tf.constant(1.5)
    _, y = tf.while_loop(lambda i, y: i < 4, lambda i, y: (i + 1, y * x), [0, x])
    with_square = x**5
    first = tf.gradients(y, x)[0]
    # TensorFlow 1.15 has no second derivatives of loops: the power is what they are to be like.
    return run(tf, [y, first, with_square, tf.gradients(tf.gradients(with_square, x)[0], x)[0]])


@program
def cond_in_a_loop_and_loop_in_a_cond(tf):
    x = tf.placeholder(tf.float32, [])

    def body(i, y):
        return i + 1, tf.cond(tf.equal(i % 2, 0), lambda: y * x, lambda: y + x)

    _, y = tf.while_loop(lambda i, y: i < 5, body, [0, x])
    z = tf.cond(x > 1.0, lambda: tf.while_loop(lambda i, z: i < 3, lambda i, z: (i + 1, z * x), [0, x])[1], lambda: -x)
    return [run(tf, [y, z, tf.gradients(y, x), tf.gradients(z, x)], {x: value}) for value in (0.5, 2.0)]


@program
def assign_in_the_body(tf):
    v = tf.Variable(1.0)

    def body(i, y):
        with tf.control_dependencies([v.assign_add(tf.cast(i, tf.float32))]):
            return i + 1, y + 1.0

    loop = tf.while_loop(lambda i, y: i < 4, body, [0, 0.0])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return [session.run(loop), session.run(v), session.run(loop), session.run(v)]


@program
def host_operation_in_the_body(tf):
    def body(i, y):
        return i + 1, tf.reshape(
            tf.py_func(lambda a, b: np.float32(a * 2 + b), [y, tf.cast(i, tf.float32)], tf.float32), []
        )

    return run(tf, tf.while_loop(lambda i, y: i < 4, body, [0, 1.0]))


@program
def growing_shape(tf):
    x = tf.placeholder(tf.float32, [None])
    shapes = [tf.TensorShape([]), tf.TensorShape([None])]
    loop = tf.while_loop(
        lambda i, y: i < 3, lambda i, y: (i + 1, tf.concat([y, x], 0)), [0, x], shape_invariants=shapes
    )
    return [str(loop[1].shape), run(tf, loop, {x: [1.0, 2.0]})]


@program
def limits_as_tensors(tf):
    n = tf.placeholder(tf.int32, [])
    loop = tf.while_loop(lambda i: i < 10, lambda i: i + 1, [0], maximum_iterations=n)
    return [run(tf, loop, {n: value}) for value in (0, 4, 40)]


@program
def what_is_passed_on_stays(tf):
    x = tf.constant(X)
    i, kept, y = tf.while_loop(lambda i, k, y: i < 3, lambda i, k, y: (i + 1, k, y + k), [0, x, x])
    return run(tf, [i, kept, y, *tf.gradients([kept, y], x)])


@program
def errors_of_loops(tf):
    def one(i):
        return i + 1

    invariants = {"shape_invariants": [tf.TensorShape([3])]}
    return [
        error(lambda: tf.while_loop(3, one, [0])),
        error(lambda: tf.while_loop(lambda i: i < 3, 3, [0])),
        error(lambda: tf.while_loop(lambda i: i < 3, one, [])),
        error(lambda: tf.while_loop(lambda i: i < 3, one, [0], parallel_iterations=0)),
        kind(lambda: tf.while_loop(lambda i, j: i < 3, lambda i, j: i, [0, 0])),
        kind(lambda: tf.while_loop(lambda i: True, lambda i: tf.concat([i, i], 0), [tf.zeros([2])])),
        kind(lambda: tf.while_loop(lambda i: True, lambda i: i, [tf.zeros([2])], **invariants)),
        kind(lambda: tf.while_loop(lambda i: i < 3, one, [0], maximum_iterations=[1, 2])),
    ]


# -- TensorArray ----------------------------------------------------------------------------------------------------

array = Group("arrays")


@array
def methods(tf):
    a = tf.TensorArray(tf.float32, 3, clear_after_read=False).write(0, [1.0, 2.0]).write(2, tf.constant([3.0, 4.0]))
    b = tf.TensorArray(tf.float32, 3, clear_after_read=False).unstack(X.T)
    c = tf.TensorArray(tf.float32, 3, clear_after_read=False).split(tf.range(6.0), [2, 2, 2])
    d = tf.TensorArray(tf.float32, 3, clear_after_read=False).scatter([2, 0], X)
    shapes = [str(v) for v in (a.element_shape, a.read(0).shape, a.stack().shape, d.read(1).shape)]
    told = [a.dtype.name, a.dynamic_size, str(tf.TensorArray(tf.int32, 0).element_shape)]
    values = [a.read(2), a.size(), a.stack(), b.read(1), b.stack(), b.concat(), b.gather([2, 0]), c.read(1), c.stack()]
    return [shapes, told, run(tf, [*values, c.concat(), d.read(2), d.stack(), d.identity().read(0)])]


@array
def gradients_of_methods(tf):
    x = tf.placeholder(tf.float32, [2, 3])

    def array(size):
        return tf.TensorArray(tf.float32, size, clear_after_read=False)

    values = [
        array(2).unstack(x).stack() ** 2, array(2).unstack(x).read(1), array(2).unstack(x).concat() ** 3,
        array(4).scatter([3, 1], x).gather([1, 3, 1]) ** 2, array(2).split(x, [1, 1]).read(0) ** 2,
        array(3).write(1, x[0]).write(0, x[1] * 2.0).stack() ** 2,
    ]  # fmt: skip
    return run(tf, [tf.gradients(v, x)[0] for v in values], {x: X})


@array
def in_loops(tf):
    x = tf.placeholder(tf.float32, [None, 3])
    n = tf.shape(x)[0]
    rows = tf.TensorArray(tf.float32, n).unstack(x)
    sums = tf.TensorArray(tf.float32, n)

    def body(i, total, sums):
        total = total + rows.read(i)
        return i + 1, total, sums.write(i, total * 2.0)

    _, total, sums = tf.while_loop(lambda i, *_: i < n, body, [0, tf.zeros([3]), sums])
    stacked = sums.stack()
    return [str(stacked.shape), run(tf, [total, stacked, *tf.gradients(stacked**2, x)], {x: X})]


@array
def backward_and_by_two(tf):
    x = tf.constant(np.arange(12, dtype=np.float32).reshape(6, 2))
    rows = tf.TensorArray(tf.float32, 6).unstack(x)
    out = tf.TensorArray(tf.float32, 6)

    def body(i, out):
        return i - 2, out.write(i, rows.read(i - 1) * 3.0)

    _, out = tf.while_loop(lambda i, _: i > 0, body, [5, out])
    stacked = out.stack()
    return run(tf, [stacked, tf.gradients(stacked**2, x)[0]])


@array
def read_and_written_in_turn(tf):
    """Fibonacci's numbers: an array that a loop both reads and writes."""
    a = tf.TensorArray(tf.int32, 8, clear_after_read=False).write(0, 1).write(1, 1)
    _, a = tf.while_loop(lambda i, _: i < 8, lambda i, a: (i + 1, a.write(i, a.read(i - 1) + a.read(i - 2))), [2, a])
    return run(tf, a.stack())


@array
def written_where_data_says(tf):
    places = tf.constant([3, 0, 2])
    a = tf.TensorArray(tf.float32, 5)
    _, a = tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a.write(places[i], tf.cast(i, tf.float32))), [0, a])
    return run(tf, a.stack())


@array
def growing(tf):
    def filled(limit):
        a = tf.TensorArray(tf.float32, 0, dynamic_size=True)
        _, a = tf.while_loop(
            lambda i, _: i < limit, lambda i, a: (i + 1, a.write(i, [tf.cast(i, tf.float32)] * 2)), [0, a]
        )
        return a

    n = tf.placeholder(tf.int32, [])
    known, fed = filled(4), filled(n)
    by_hand = tf.TensorArray(tf.float32, 1, dynamic_size=True).write(3, 2.0).write(0, 1.0)
    fetches = [known.size(), known.stack(), fed.size(), fed.stack(), by_hand.stack()]
    return [run(tf, fetches, {n: value}) for value in (2, 5)]


@array
def gradient_of_a_growing_one(tf):
    x = tf.constant([1.0, 2.0, 3.0])
    a = tf.TensorArray(tf.float32, 0, dynamic_size=True)
    _, a = tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a.write(i, x[i] ** 2)), [0, a])
    return run(tf, tf.gradients(a.stack(), x)[0])


@array
def written_in_a_branch(tf):
    a = tf.TensorArray(tf.float32, 4)

    def body(i, a):
        return i + 1, tf.cond(tf.equal(i % 2, 0), lambda: a.write(i, [1.0, 2.0]), lambda: a.write(i, [3.0, 4.0]))

    return run(tf, tf.while_loop(lambda i, _: i < 4, body, [0, a])[1].stack())


@array
def strings(tf):
    return run(tf, tf.TensorArray(tf.string, 2).write(0, "a").write(1, "bc").stack())


@array
def errors_of_arrays(tf):
    def array(size=3, **arguments):
        return tf.TensorArray(tf.float32, size, **arguments)

    return [
        error(lambda: tf.TensorArray(tf.float32)),
        error(lambda: array(None, handle=1)),
        error(lambda: array().write(0, [1.0, 2.0]).write(1, [1.0])),
        error(lambda: array(element_shape=[2]).write(0, [1.0, 2.0, 3.0])),
        kind(lambda: run(tf, array().write(5, [1.0, 2.0]).size())),
        kind(lambda: run(tf, array().write(-1, [1.0, 2.0]).size())),
        kind(lambda: run(tf, array(1).unstack([[1.0], [2.0]]).stack())),
        kind(lambda: run(tf, array().write(0, 1.0).read(3))),
        kind(lambda: run(tf, array().split([1.0, 2.0], [1, 1]).size())),
    ]


# -- functions along the first axis ---------------------------------------------------------------------------------

along = Group("along")


@along
def map_fn(tf):
    x = tf.placeholder(tf.float32, [None, 3])
    doubled = tf.map_fn(lambda row: row * 2.0, x)
    norms = tf.map_fn(lambda row: tf.reduce_sum(row**2), x)
    pairs = tf.map_fn(lambda p: (p[0] + p[1], p[0]), (tf.constant([1, 2]), tf.constant([3, 4])))
    one = tf.map_fn(lambda p: p["a"] * p["b"], {"a": tf.constant([1, 2]), "b": tf.constant([3, 4])}, dtype=tf.int32)
    other = tf.map_fn(lambda v: tf.cast(v, tf.float32) / 2.0, tf.constant([1, 2]), dtype=tf.float32)
    shapes = [str(t.shape) for t in (doubled, norms, pairs[0], one)]
    names = [doubled.name, norms.name]
    return [shapes, names, run(tf, [doubled, norms, pairs, one, other, *tf.gradients(norms, x)], {x: X})]


@along
def map_of_nothing(tf):
    return np.shape(run(tf, tf.map_fn(lambda row: row * 2.0, np.zeros([0, 2], np.float32))))


@along
def map_in_a_map(tf):
    x = tf.constant(X)
    y = tf.map_fn(lambda row: tf.map_fn(lambda v: v**3, row), x)
    return run(tf, [y, *tf.gradients(y, x)])


@along
def map_with_a_host_operation(tf):
    def on_host(row):
        return tf.reshape(tf.py_func(lambda r: np.float32(r.sum() * 2), [row], tf.float32), [])

    return run(tf, tf.map_fn(on_host, tf.constant(X)))


@along
def scan(tf):
    x = tf.constant(X.T.copy())
    plain = tf.scan(lambda a, row: a * 0.5 + row, x)
    started = tf.scan(lambda a, row: a + row, x, tf.constant([1.0, 2.0]))
    backward = tf.scan(lambda a, row: a + row, x, reverse=True)
    both = tf.scan(lambda a, row: a * row, x, tf.constant([1.0, 2.0]), reverse=True)
    pair = tf.scan(lambda a, v: (a[0] + v, a[1] * v), tf.constant([1, 2, 3]), (tf.constant(0), tf.constant(1)))
    values = [plain, started, backward, both]
    shapes = [str(t.shape) for t in values]
    return [shapes, run(tf, values + [pair] + [tf.gradients(v**2, x)[0] for v in values])]


@along
def folds(tf):
    x = tf.constant(X.T.copy())
    values = [
        tf.foldl(lambda a, row: a * 0.5 + row, x), tf.foldr(lambda a, row: a * 0.5 + row, x),
        tf.foldl(lambda a, row: a * row, x, tf.constant([1.0, 2.0])),
        tf.foldr(lambda a, row: a - row, x, tf.constant([1.0, 2.0])),
        tf.foldl(lambda a, p: a + p[0] * p[1], (tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0])), 0.5),
    ]  # fmt: skip
    shapes = [str(t.shape) for t in values]
    return [shapes, run(tf, values + [tf.gradients(v, x)[0] for v in values[:4]])]


@along
def variables_in_the_function(tf):
    x = tf.constant(X)

    def fn(row):
        w = tf.get_variable("w", [3], initializer=tf.ones_initializer())
        return tf.reduce_sum(row * w)

    y = tf.map_fn(fn, x)
    names = [v.name for v in tf.global_variables()]
    return [names, run(tf, [y, *tf.gradients(y, tf.global_variables())])]


@along
def errors_of_functions(tf):
    empty = np.zeros([0, 2], np.float32)
    return [
        error(lambda: tf.map_fn(3, [1.0])),
        error(lambda: tf.map_fn(lambda x: x, 1.0)),
        error(lambda: tf.foldl(3, [1.0])),
        error(lambda: tf.scan(3, [1.0])),
        kind(lambda: tf.map_fn(lambda x: x[0] + x[1], (tf.constant([1, 2]), tf.constant([3, 4])))),
        kind(lambda: tf.map_fn(lambda x: x, (tf.constant([1, 2]), tf.constant([3, 4, 5])))),
        kind(lambda: run(tf, tf.foldl(lambda a, x: a + x, empty))),
        kind(lambda: run(tf, tf.scan(lambda a, x: a + x, empty))),
    ]


# -- case -----------------------------------------------------------------------------------------------------------

choice = Group("case")


@choice
def case(tf):
    x = tf.placeholder(tf.float32, [])
    pairs = [(x < 0.0, lambda: x * 2.0), (x < 10.0, lambda: x**2), (x < 100.0, lambda: x + 1.0)]
    y = tf.case(pairs, default=lambda: tf.constant(0.0))
    exclusive = tf.case([(x < 0.0, lambda: x), (x > 10.0, lambda: -x)], default=lambda: x * x, exclusive=True)
    fetches = [y, tf.gradients(y, x), exclusive, tf.gradients(exclusive, x)]
    return [run(tf, fetches, {x: value}) for value in (-3.0, 3.0, 30.0, 300.0)]


@choice
def structures_of_branches(tf):
    def branch(n):
        return lambda: (tf.constant(n), {"a": tf.constant([n, n])})

    no = tf.constant(False)
    listed = tf.case([(no, lambda: [tf.constant(1)])], default=lambda: [tf.constant(2)])
    strict = tf.case([(no, lambda: [tf.constant(1)])], default=lambda: [tf.constant(2)], strict=True)
    return run(tf, [tf.case([(no, branch(1)), (tf.constant(True), branch(2))], default=branch(3)), listed, strict])


@choice
def a_dict(tf):
    yes, no = tf.constant(True), tf.constant(False)
    return run(tf, tf.case({yes: lambda: tf.constant(1), no: lambda: tf.constant(2)}, exclusive=True))


@choice
def effects(tf):
    v, x = tf.Variable(0), tf.placeholder(tf.int32)
    pairs = [(tf.equal(x, 1), lambda: v.assign_add(10)), (tf.equal(x, 2), lambda: v.assign_add(100))]
    y = tf.case(pairs, default=lambda: v.assign_add(1))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for value in (1, 2, 3, 1):
            session.run(y, {x: value})
        return session.run(v)


@choice
def switch_case(tf):
    x = tf.placeholder(tf.int32, [])
    listed = tf.switch_case(x, [lambda: tf.constant(1), lambda: tf.constant(2)])
    named = tf.switch_case(x, {1: lambda: tf.constant(1), 0: lambda: tf.constant(2)}, default=lambda: tf.constant(0))
    return [run(tf, [listed, named], {x: value}) for value in (-1, 0, 1, 2)]


@choice
def errors_of_choices(tf):
    x = tf.placeholder(tf.int32, [])
    none = tf.case([(x < 0, lambda: tf.constant(-1)), (x > 10, lambda: tf.constant(1))])
    pairs = [(x < 0, lambda: tf.constant(-1)), (x < 10, lambda: tf.constant(1))]
    two = tf.case(pairs, default=lambda: tf.constant(0), exclusive=True)
    return [
        run(tf, none, {x: -5}), run(tf, two, {x: 5}),
        error(lambda: run(tf, none, {x: 5})), error(lambda: run(tf, two, {x: -5})), error(lambda: tf.case(3)),
        error(lambda: tf.case([3])), error(lambda: tf.case([(True, lambda: 1)])),
        error(lambda: tf.case([(tf.constant(1, name="one"), lambda: 1)])),
        error(lambda: tf.case([(tf.constant(True, name="yes"), 3)])),
        kind(lambda: tf.case([(tf.constant(True), lambda: tf.constant(1))], default=3)),
        error(lambda: tf.switch_case(tf.constant(0), [])),
        error(lambda: tf.switch_case(tf.constant(0), {3: lambda: tf.constant(1), 5: lambda: tf.constant(2)})),
    ]  # fmt: skip
