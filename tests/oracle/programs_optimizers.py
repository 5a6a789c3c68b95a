"""Optimizers, moving averages and learning rates: nodes, names, and the values that ten steps give."""

import numpy as np

from oracle.programs import Group, collections, error, names, nodes

program = Group("optimizers")

# -- every optimizer, in its forms ------------------------------------------------------------------------------

OPTIMIZERS = {
    "sgd": lambda tf: tf.train.GradientDescentOptimizer(0.1),
    "sgd_tensor": lambda tf: tf.train.GradientDescentOptimizer(tf.constant(0.1)),
    "sgd_function": lambda tf: tf.train.GradientDescentOptimizer(lambda: 0.1, name="Mine"),
    "momentum": lambda tf: tf.train.MomentumOptimizer(0.05, 0.9),
    "nesterov": lambda tf: tf.train.MomentumOptimizer(0.05, 0.9, use_nesterov=True),
    "adam": lambda tf: tf.train.AdamOptimizer(0.1),
    "adam_other": lambda tf: tf.train.AdamOptimizer(0.05, beta1=0.8, beta2=0.9, epsilon=0.01),
    "adagrad": lambda tf: tf.train.AdagradOptimizer(0.5),
    "adagrad_start": lambda tf: tf.train.AdagradOptimizer(0.5, initial_accumulator_value=1.0),
    "adadelta": lambda tf: tf.train.AdadeltaOptimizer(1.0, rho=0.9, epsilon=1e-4),
    "rmsprop": lambda tf: tf.train.RMSPropOptimizer(0.05),
    "rmsprop_momentum": lambda tf: tf.train.RMSPropOptimizer(0.05, decay=0.8, momentum=0.5, epsilon=0.01),
    "rmsprop_centered": lambda tf: tf.train.RMSPropOptimizer(0.05, momentum=0.5, centered=True, epsilon=0.01),
    "ftrl": lambda tf: tf.train.FtrlOptimizer(0.5),
    "ftrl_regularized": lambda tf: tf.train.FtrlOptimizer(
        0.5, l1_regularization_strength=0.1, l2_regularization_strength=0.2
    ),
    "ftrl_power": lambda tf: tf.train.FtrlOptimizer(0.1, learning_rate_power=-0.3, accum_name="A", linear_name="L"),
    "ftrl_shrinkage": lambda tf: tf.train.FtrlOptimizer(0.5, l2_shrinkage_regularization_strength=0.1),
}

_X = np.array([[1.0, -2.0, 0.5], [0.3, 0.8, -1.1], [2.0, 0.1, 0.4], [-0.7, 1.5, 0.9]], np.float32)
_Y = np.array([[1.0, 0.0], [0.5, -1.0], [2.0, 1.0], [-1.0, 0.3]], np.float32)


def _dense_loss(tf, dtype="float32"):
    w = tf.get_variable("w", dtype=None, initializer=np.linspace(-1, 1, 6).reshape(3, 2).astype(dtype))
    b = tf.get_variable("b", dtype=None, initializer=np.array([0.1, -0.2], dtype))
    error = tf.matmul(tf.constant(_X.astype(dtype)), w) + b - tf.constant(_Y.astype(dtype))
    return tf.reduce_mean(tf.square(error)), [w, b]


def _sparse_loss(tf, dtype="float32"):
    w = tf.get_variable("w", dtype=None, initializer=np.linspace(-1, 1, 10).reshape(5, 2).astype(dtype))
    rows = tf.gather(w, tf.constant([3, 1, 1, 4, 1]))
    target = np.array([[1.0, 0.0], [0.5, -1.0], [2.0, 1.0], [-1.0, 0.3], [0.0, 0.7]], dtype)
    return tf.reduce_sum(tf.square(rows - tf.constant(target))), [w]


def _trajectory(tf, loss, variables, optimizer, train_op, steps=10):
    """Losses, and the values of all variables after the first steps and the last."""
    state = sorted(optimizer.variables(), key=lambda v: v.name)
    shown = []
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for step in range(steps):
            before = session.run(loss)
            session.run(train_op)
            shown.append([before, session.run(variables + state) if step in (0, 1, steps - 1) else None])
    return [names(state), shown]


def _slots(optimizer, variables):
    return {
        name: [getattr(optimizer.get_slot(v, name), "name", None) for v in variables]
        for name in optimizer.get_slot_names()
    }


def _dense(tf, make):
    loss, variables = _dense_loss(tf)
    optimizer = make(tf)
    step = tf.train.get_or_create_global_step()
    train_op = optimizer.minimize(loss, global_step=step)
    shown = [train_op.name, train_op.type, optimizer.get_name(), _slots(optimizer, variables)]
    return [*shown, _trajectory(tf, loss, [*variables, step], optimizer, train_op)]


def _sparse(tf, make):
    loss, variables = _sparse_loss(tf)
    optimizer = make(tf)
    train_op = optimizer.minimize(loss)
    return [train_op.name, train_op.type, _trajectory(tf, loss, variables, optimizer, train_op)]


def _nodes(tf, make):
    with tf.variable_scope("s"):
        w = tf.get_variable("w", [2], initializer=tf.zeros_initializer())
        step = tf.train.get_or_create_global_step()
    optimizer = make(tf)
    optimizer.apply_gradients([(tf.constant([1.0, 2.0]), w)], global_step=step)
    return [nodes(tf), collections(tf), names(optimizer.variables())]


for _name, _make in OPTIMIZERS.items():
    program.add("dense_" + _name, lambda tf, make=_make: _dense(tf, make))
    program.add("sparse_" + _name, lambda tf, make=_make: _sparse(tf, make))
    program.add("nodes_" + _name, lambda tf, make=_make: _nodes(tf, make))


@program
def nodes_of_sparse_sgd(tf):
    w = tf.get_variable("w", [2, 3], initializer=tf.zeros_initializer())
    slices = tf.IndexedSlices(tf.constant([[1.0, 2.0, 3.0]]), tf.constant([1]))
    tf.train.GradientDescentOptimizer(0.1).apply_gradients([(slices, w)])
    return nodes(tf)


@program
def float64(tf):
    loss, variables = _dense_loss(tf, "float64")
    optimizer = tf.train.AdamOptimizer(0.1)
    return _trajectory(tf, loss, variables, optimizer, optimizer.minimize(loss))


@program
def two_optimizers(tf):
    loss, (w, b) = _dense_loss(tf)
    one, other = tf.train.AdamOptimizer(0.1), tf.train.AdamOptimizer(0.01)
    ops = [one.minimize(loss, var_list=[w]), other.minimize(loss, var_list=[w, b]), one.minimize(loss, name="again")]
    shown = [names(ops), names(one.variables()), names(other.variables()), _slots(one, [w, b]), _slots(other, [w, b])]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for op in ops:
            session.run(op)
        return [*shown, session.run([w, b]), names(tf.get_collection(tf.GraphKeys.TRAIN_OP))]


@program
def gradients_between(tf):
    loss, (w, b) = _dense_loss(tf)
    optimizer = tf.train.GradientDescentOptimizer(0.1)
    pairs = optimizer.compute_gradients(loss, gate_gradients=optimizer.GATE_GRAPH)
    train_op = optimizer.apply_gradients([(tf.clip_by_value(g, -0.1, 0.1), v) for g, v in pairs], name="clipped")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        grads = session.run([g for g, _ in pairs])
        session.run(train_op)
        return [names(v for _, v in pairs), grads, session.run([w, b]), train_op.name]


@program
def constraints(tf):
    w = tf.get_variable(
        "w", initializer=np.float32([1.0, -1.0]), constraint=lambda x: tf.maximum(x, tf.constant([0.0, 0.0]))
    )
    optimizer = tf.train.GradientDescentOptimizer(1.0)
    step = tf.train.create_global_step()
    train_op = optimizer.minimize(tf.reduce_sum(w * tf.constant([3.0, -0.5])), global_step=step)
    return _trajectory(tf, w, [w, step], optimizer, train_op, 3)


@program
def loss_gradient(tf):
    loss, variables = _dense_loss(tf)
    optimizer = tf.train.GradientDescentOptimizer(0.1)
    train_op = optimizer.minimize(loss, grad_loss=tf.constant(2.0), var_list=variables[:1])
    return _trajectory(tf, loss, variables, optimizer, train_op, 2)


@program
def rate_that_falls(tf):
    loss, variables = _dense_loss(tf)
    step = tf.train.get_or_create_global_step()
    optimizer = tf.train.MomentumOptimizer(tf.train.exponential_decay(0.1, step, 2, 0.5), 0.9)
    return _trajectory(tf, loss, [*variables, step], optimizer, optimizer.minimize(loss, step))


def _make_subclass(tf):
    class Mine(tf.train.Optimizer):
        """Sign descent with a counter: what a program defines in a subclass."""

        def __init__(self, rate):
            super().__init__(False, "Mine")
            self._rate = rate

        def _create_slots(self, var_list):
            self._create_non_slot_variable(0.0, "steps", min(var_list, key=lambda v: v.name))
            for v in var_list:
                self._zeros_slot(v, "last", self._name)

        def _prepare(self):
            self._rate_t = tf.convert_to_tensor(self._call_if_callable(self._rate), name="rate")

        def _apply_dense(self, grad, var):
            last = self.get_slot(var, "last")
            saved = last.assign(grad, use_locking=self._use_locking)
            return tf.group(tf.assign_sub(var, self._rate_t * tf.sign(grad)), saved)

        def _apply_sparse(self, grad, var):
            return tf.scatter_sub(var, grad.indices, self._rate_t * tf.sign(grad.values))

        def _finish(self, update_ops, name_scope):
            with tf.control_dependencies(update_ops):
                count = tf.assign_add(self._get_non_slot_variable("steps", tf.get_default_graph()), 1.0)
            return tf.group(*update_ops, count, name=name_scope)

    return Mine


@program
def subclass(tf):
    loss, variables = _dense_loss(tf)
    optimizer = _make_subclass(tf)(0.1)
    train_op = optimizer.minimize(loss)
    return [train_op.name, _slots(optimizer, variables), _trajectory(tf, loss, variables, optimizer, train_op, 3)]


@program
def subclass_sparse(tf):
    loss, variables = _sparse_loss(tf)
    optimizer = _make_subclass(tf)(0.1)
    return _trajectory(tf, loss, variables, optimizer, optimizer.minimize(loss), 3)


def _one(tf):
    return tf.get_variable("w", [2], initializer=tf.zeros_initializer())


_SGD = OPTIMIZERS["sgd"]
_ERRORS = {
    "no_gradients": lambda tf: (_one(tf), _SGD(tf).minimize(tf.constant(1.0))),
    "no_variables": lambda tf: _SGD(tf).minimize(tf.constant(1.0)),
    "nothing_to_apply": lambda tf: _SGD(tf).apply_gradients([]),
    "only_none_to_apply": lambda tf: _SGD(tf).apply_gradients([(None, _one(tf))]),
    "gate": lambda tf: _SGD(tf).compute_gradients(tf.reduce_sum(_one(tf)), gate_gradients=7),
    "no_name": lambda tf: tf.train.GradientDescentOptimizer(0.1, name=""),
    "adagrad_start": lambda tf: tf.train.AdagradOptimizer(0.1, initial_accumulator_value=0.0),
    "ftrl_power": lambda tf: tf.train.FtrlOptimizer(0.1, learning_rate_power=1.0),
    "ftrl_l1": lambda tf: tf.train.FtrlOptimizer(0.1, l1_regularization_strength=-1.0),
    "piecewise_lengths": lambda tf: tf.train.piecewise_constant(tf.constant(1), [1], [0.1]),
    "piecewise_boundaries": lambda tf: tf.train.piecewise_constant(tf.constant(1), [1.0], [0.1, 0.2]),
    "piecewise_values": lambda tf: tf.train.piecewise_constant(tf.constant(1), [1], [0.1, 2]),
    "average_of_ints": lambda tf: tf.train.ExponentialMovingAverage(0.9).apply([tf.Variable(1, name="n")]),
}
for _name, _action in _ERRORS.items():
    program.add("error_" + _name, lambda tf, action=_action: error(lambda: action(tf)))


# -- learning rates ---------------------------------------------------------------------------------------------

rates = Group("rates")
_RATES = {
    "exponential": lambda tf, step: tf.train.exponential_decay(0.1, step, 7, 0.9),
    "exponential_staircase": lambda tf, step: tf.train.exponential_decay(0.1, step, 7, 0.9, staircase=True),
    "exponential_name": lambda tf, step: tf.train.exponential_decay(0.1, step, 7, 0.9, name="mine"),
    "natural": lambda tf, step: tf.train.natural_exp_decay(0.1, step, 7, 0.5),
    "inverse": lambda tf, step: tf.train.inverse_time_decay(0.1, step, 7, 0.5),
    "inverse_staircase": lambda tf, step: tf.train.inverse_time_decay(0.1, step, 7, 0.5, staircase=True),
    "polynomial": lambda tf, step: tf.train.polynomial_decay(0.1, step, 20, 0.01, power=2.0),
    "polynomial_cycle": lambda tf, step: tf.train.polynomial_decay(0.1, step, 20, 0.01, cycle=True),
    "cosine": lambda tf, step: tf.train.cosine_decay(0.1, step, 20, alpha=0.1),
    "restarts": lambda tf, step: tf.train.cosine_decay_restarts(0.1, step, 5, m_mul=0.8, alpha=0.1),
    "restarts_even": lambda tf, step: tf.train.cosine_decay_restarts(0.1, step, 5, t_mul=1.0),
    "piecewise": lambda tf, step: tf.train.piecewise_constant(step, [3, 20], [0.3, 0.2, 0.1]),
}


def _rate(tf, make, whole):
    step = tf.train.create_global_step()
    rate = make(tf, step)
    shown = [rate.dtype.name, str(rate.shape)]
    if whole:
        shown += [rate.name, nodes(tf)]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        values = []
        for n in (0, 1, 3, 7, 19, 20, 21, 50):
            step.load(n, session)
            values.append(session.run(rate))
        return [shown, values]


for _name, _make in _RATES.items():
    # TensorFlow's nodes, but for those that choose with a cond.
    _whole = not _name.startswith(("polynomial_cycle", "restarts", "piecewise"))
    rates.add(_name, lambda tf, make=_make, whole=_whole: _rate(tf, make, whole))


# -- moving averages --------------------------------------------------------------------------------------------

averages = Group("averages")


@averages
def of_variables_and_tensors(tf):
    w = tf.get_variable("w", initializer=tf.constant([1.0, 2.0]))
    x = tf.multiply(w, 2.0, name="x")
    tf.get_variable("other", [2], trainable=False)
    with tf.name_scope("n"):
        ema = tf.train.ExponentialMovingAverage(0.9)
        with tf.variable_scope("vs"):
            before = ema.average_name(w)
            op = ema.apply([w, x])
    shown = [op.name, before, ema.name, names([ema.average(w), ema.average(x)]), ema.average_name(w), collections(tf)]
    shown.append({k: v.name for k, v in ema.variables_to_restore().items()})
    shown.append(sorted(ema.variables_to_restore([w])))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(3):
            session.run(w.assign_add([1.0, -1.0]))
            session.run(op)
            shown.append(session.run([ema.average(w), ema.average(x)]))
    return shown


@averages
def with_a_count(tf):
    w = tf.get_variable("w", initializer=tf.constant([1.0, 2.0]))
    x = tf.multiply(w, 2.0, name="x")
    step = tf.train.get_or_create_global_step()
    ema = tf.train.ExponentialMovingAverage(0.9, num_updates=step, zero_debias=True, name="average")
    op = ema.apply([w, x])
    shown = [nodes(tf, but=["cond", "IsVariable", "w/average"]), names(tf.global_variables())]
    shown.append(ema.apply().name)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(3):
            session.run([w.assign_add([1.0, -1.0]), step.assign_add(1)])
            session.run(op)
            shown.append(session.run(tf.global_variables()))
    return shown


@averages
def after_training(tf):
    loss, variables = _dense_loss(tf)
    train_op = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    ema = tf.train.ExponentialMovingAverage(0.5)
    with tf.control_dependencies([train_op]):
        op = ema.apply()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(3):
            session.run(op)
        return [session.run(variables), session.run([ema.average(v) for v in variables])]
