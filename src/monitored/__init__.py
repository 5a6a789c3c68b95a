"""TensorFlow 1's sessions on JAX: a deferred graph, `Session.run`, and the monitored session around it.

    import monitored as tf

and a TensorFlow 1 training script runs, restores its checkpoints, and writes checkpoints that TensorFlow restores.
The names are TensorFlow's; see `monitored.train` for the sessions, hooks, savers and optimizers.
"""

# isort: skip_file
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from monitored import _kept_memory, _paused_collector

if TYPE_CHECKING:
    from tensorboard.compat.proto.attr_value_pb2 import AttrValue as AttrValue
    from tensorboard.compat.proto.config_pb2 import ConfigProto as ConfigProto
    from tensorboard.compat.proto.config_pb2 import GPUOptions as GPUOptions
    from tensorboard.compat.proto.config_pb2 import GraphOptions as GraphOptions
    from tensorboard.compat.proto.config_pb2 import OptimizerOptions as OptimizerOptions
    from tensorboard.compat.proto.config_pb2 import RunMetadata as RunMetadata
    from tensorboard.compat.proto.config_pb2 import RunOptions as RunOptions
    from tensorboard.compat.proto.event_pb2 import Event as Event
    from tensorboard.compat.proto.event_pb2 import LogMessage as LogMessage
    from tensorboard.compat.proto.event_pb2 import SessionLog as SessionLog
    from tensorboard.compat.proto.graph_pb2 import GraphDef as GraphDef
    from tensorboard.compat.proto.histogram_pb2 import HistogramProto as HistogramProto
    from tensorboard.compat.proto.meta_graph_pb2 import MetaGraphDef as MetaGraphDef
    from tensorboard.compat.proto.node_def_pb2 import NodeDef as NodeDef
    from tensorboard.compat.proto.summary_pb2 import Summary as Summary
    from tensorboard.compat.proto.summary_pb2 import SummaryMetadata as SummaryMetadata
    from tensorboard.compat.proto.variable_pb2 import VariableDef as VariableDef

from monitored._graph.device_spec import DeviceSpec
from monitored._ops import operators as _operators  # noqa: F401  (gives tensors their operators)
from monitored._ops import gradient_nodes as _gradient_nodes  # noqa: F401  (what imported graphs have)
from monitored._ops import resource_variables as _resource_variables  # noqa: F401
from monitored._ops import tensor_list_ops as _tensor_list_ops  # noqa: F401

# fmt: off
from monitored import (
    bitwise, compat, debugging, dtypes, errors, graph_util, initializers, layers, linalg, logging, losses, math, nest,
    nn, random, summary, train,
)
from monitored._graph.build import constant, convert_to_tensor, register_tensor_conversion_function
from monitored._graph.collections import (
    GraphKeys, add_to_collection, add_to_collections, get_collection, get_collection_ref,
)
from monitored._graph.default_scopes import colocate_with, container, control_dependencies, device, name_scope
from monitored._graph.defaults import get_default_session
from monitored._graph.dtypes import (
    DType, as_dtype, bfloat16, bool_ as bool, complex128, complex64, double, float16, float32, float64, half, int16,
    int32, int64, int8, qint16, qint32, qint8, quint16, quint8, resource, string, uint16, uint32, uint64, uint8,
    variant,
)
from monitored._graph.graph import Graph, get_default_graph, reset_default_graph
from monitored._graph.indexed_slices import IndexedSlices, IndexedSlicesValue
from monitored._graph.importer import import_graph_def
from monitored._graph.node_def import make_ndarray, make_tensor_proto
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import Dimension, TensorShape
from monitored._graph.sparse_tensor import SparseTensor, SparseTensorValue
from monitored._ops.activations import sigmoid
from monitored._ops.arranging import (
    batch_to_space_nd, depth_to_space, meshgrid, one_hot, repeat, sequence_mask, space_to_batch_nd, space_to_depth,
)
from monitored._ops.array import (
    broadcast_dynamic_shape, broadcast_static_shape, broadcast_to, expand_dims, identity, identity_n, placeholder,
    placeholder_with_default, rank, reshape, shape, shape_n, size, squeeze, stop_gradient, transpose,
)
from monitored._ops.case import case, switch_case
from monitored._ops.casts import (
    angle, bitcast, cast, complex, conj, imag, real, saturate_cast, to_bfloat16, to_complex128, to_complex64,
    to_double, to_float, to_int32, to_int64,
)
from monitored._ops.check import (
    assert_equal, assert_greater, assert_greater_equal, assert_integer, assert_less, assert_less_equal, assert_near,
    assert_negative, assert_non_negative, assert_non_positive, assert_none_equal, assert_positive,
    assert_proper_iterable, assert_rank, assert_rank_at_least, assert_rank_in, assert_same_float_dtype,
    assert_scalar, assert_type, ensure_shape, is_numeric_tensor,
)
from monitored._ops.clip import clip_by_average_norm, clip_by_global_norm, clip_by_norm, clip_by_value, global_norm
from monitored._ops.control_flow import cond, group, no_op, tuple
from monitored._ops.counting import count_up_to
from monitored._ops.custom_gradient import custom_gradient, hessians
from monitored._ops.fill import fill, ones, ones_like, zeros, zeros_like
from monitored._ops.functional import foldl, foldr, map_fn, scan
from monitored._ops.gathering import (
    batch_gather, gather, gather_nd, invert_permutation, scatter_nd, tensor_scatter_add, tensor_scatter_nd_add,
    tensor_scatter_nd_sub, tensor_scatter_nd_update, tensor_scatter_sub, tensor_scatter_update, where, where_v2,
)
from monitored._ops.gradients import (
    AggregationMethod, RegisterGradient, UnconnectedGradients, gradients, no_gradient as NoGradient, no_gradient as
    NotDifferentiable, no_gradient,
)
from monitored._ops.initializers import (
    constant_initializer, glorot_normal_initializer, glorot_uniform_initializer, ones_initializer,
    orthogonal_initializer, random_normal_initializer, random_uniform_initializer, truncated_normal_initializer,
    uniform_unit_scaling_initializer, variance_scaling_initializer, zeros_initializer,
)
from monitored._ops.jax_function import jax_function, variable_tree
from monitored._ops.joining import (
    concat, pad, reverse, reverse_sequence, reverse_v2, roll, split, stack, tile, unstack,
)
from monitored._ops.linalg import einsum, matmul, matrix_transpose, tensordot
from monitored._ops.masking import (
    boolean_mask, dynamic_partition, dynamic_stitch, searchsorted, setdiff1d, unique, unique_with_counts,
)
from monitored._ops.math import (
    abs, accumulate_n, acos, acosh, add, add_n, asin, asinh, atan, atan2, atanh, ceil, cos, cosh, digamma, div,
    div_no_nan, divide, equal, erf, erfc, exp, expm1, floor, floor_div, floordiv, floormod, greater, greater_equal,
    is_finite, is_inf, is_nan, less, less_equal, lgamma, log, log1p, logical_and, logical_not, logical_or,
    logical_xor, maximum, minimum, mod, multiply, negative, not_equal, pow, realdiv, reciprocal, rint, round, rsqrt,
    scalar_mul, sign, sin, sinh, sqrt, square, squared_difference, subtract, tan, tanh, truediv, truncatediv,
    truncatemod,
)
from monitored._ops.matrices import (
    cholesky, cholesky_solve, cross, diag, diag_part, eye, logdet, matrix_band_part, matrix_determinant,
    matrix_diag, matrix_diag_part, matrix_inverse, matrix_set_diag, matrix_solve, matrix_triangular_solve, qr,
    self_adjoint_eig, self_adjoint_eigvals, slogdet, svd, trace,
)
from monitored._ops.numerics import check_numerics
from monitored._ops.partitioned_variables import (
    fixed_size_partitioner, min_max_variable_partitioner, variable_axis_size_partitioner,
)
from monitored._ops.printing import Assert, Print, print_v2 as print
from monitored._ops.queues import FIFOQueue, PaddingFIFOQueue, PriorityQueue, QueueBase, RandomShuffleQueue
from monitored._ops.random import (
    get_seed, multinomial, random_gamma, random_normal, random_poisson, random_shuffle, random_uniform,
    set_random_seed, truncated_normal,
)
from monitored._ops.reductions import (
    arg_max, arg_min, argmax, argmin, count_nonzero, norm, reduce_all, reduce_any, reduce_logsumexp, reduce_max,
    reduce_mean, reduce_min, reduce_prod, reduce_sum,
)
from monitored._ops.script import numpy_function, py_func
from monitored._ops.segments import (
    segment_max, segment_mean, segment_min, segment_prod, segment_sum, unsorted_segment_max, unsorted_segment_mean,
    unsorted_segment_min, unsorted_segment_prod, unsorted_segment_sqrt_n, unsorted_segment_sum,
)
from monitored._ops.sequences import argsort, cumprod, cumsum, cumulative_logsumexp, lin_space, linspace, range, sort
from monitored._ops.slicing import slice, strided_slice
from monitored._ops.sparse import (
    sparse_placeholder, sparse_tensor_dense_matmul, sparse_tensor_to_dense, sparse_to_dense,
)
from monitored._ops.special import betainc, igamma, igammac, polygamma, zeta
from monitored._ops.template import make_template
from monitored._ops.tensor_array import TensorArray
from monitored._ops.variable_ops import (
    all_variables, assert_variables_initialized, assign, assign_add, assign_sub, executing_eagerly,
    global_variables, global_variables_initializer, initialize_all_tables, initialize_all_variables,
    initialize_local_variables, initialize_variables, is_variable_initialized, local_variables,
    local_variables_initializer, model_variables, moving_average_variables, report_uninitialized_variables,
    scatter_add, scatter_div, scatter_max, scatter_min, scatter_mul, scatter_nd_add, scatter_nd_sub,
    scatter_nd_update, scatter_sub, scatter_update, tables_initializer, trainable_variables, variables_initializer,
)
from monitored._ops.variable_scope import (
    AUTO_REUSE, VariableScope, create_partitioned_variables, get_local_variable, get_variable, get_variable_scope,
    no_regularizer, variable_op_scope, variable_scope,
)
from monitored._ops.variables import Variable, VariableAggregation, VariableSynchronization, variable_creator_scope
from monitored._ops.while_loop import while_loop
from monitored._run.session import InteractiveSession, Session

__all__ = [  # noqa: RUF022  (in alphabetical order)
    "AUTO_REUSE", "AggregationMethod", "Assert", "AttrValue", "ConfigProto", "DType", "DeviceSpec", "Dimension",
    "Event", "FIFOQueue", "GPUOptions", "Graph", "GraphDef", "GraphKeys", "GraphOptions", "HistogramProto",
    "IndexedSlices", "IndexedSlicesValue", "InteractiveSession", "LogMessage", "MetaGraphDef", "NoGradient",
    "NodeDef", "NotDifferentiable", "Operation", "OptimizerOptions", "PaddingFIFOQueue", "Print", "PriorityQueue",
    "QueueBase", "RandomShuffleQueue", "RegisterGradient", "RunMetadata", "RunOptions", "Session", "SessionLog",
    "SparseTensor", "SparseTensorValue", "Summary", "SummaryMetadata", "Tensor", "TensorArray", "TensorShape",
    "UnconnectedGradients", "Variable", "VariableAggregation", "VariableDef", "VariableScope",
    "VariableSynchronization", "__version__", "abs", "accumulate_n", "acos", "acosh", "add", "add_n",
    "add_to_collection", "add_to_collections", "all_variables", "angle", "arg_max", "arg_min", "argmax", "argmin",
    "argsort", "as_dtype", "asin", "asinh", "assert_equal", "assert_greater", "assert_greater_equal",
    "assert_integer", "assert_less", "assert_less_equal", "assert_near", "assert_negative", "assert_non_negative",
    "assert_non_positive", "assert_none_equal", "assert_positive", "assert_proper_iterable", "assert_rank",
    "assert_rank_at_least", "assert_rank_in", "assert_same_float_dtype", "assert_scalar", "assert_type",
    "assert_variables_initialized", "assign", "assign_add", "assign_sub", "atan", "atan2", "atanh", "batch_gather",
    "batch_to_space_nd", "betainc", "bfloat16", "bitcast", "bitwise", "bool", "boolean_mask",
    "broadcast_dynamic_shape", "broadcast_static_shape", "broadcast_to", "case", "cast", "ceil", "check_numerics",
    "cholesky", "cholesky_solve", "clip_by_average_norm", "clip_by_global_norm", "clip_by_norm", "clip_by_value",
    "colocate_with", "compat", "complex", "complex128", "complex64", "concat", "cond", "conj", "constant",
    "constant_initializer", "container", "control_dependencies", "convert_to_tensor", "cos", "cosh",
    "count_nonzero", "count_up_to", "create_partitioned_variables", "cross", "cumprod", "cumsum",
    "cumulative_logsumexp", "custom_gradient", "debugging", "depth_to_space", "device", "diag", "diag_part",
    "digamma", "div", "div_no_nan", "divide", "double", "dtypes", "dynamic_partition", "dynamic_stitch", "einsum",
    "ensure_shape", "equal", "erf", "erfc", "errors", "executing_eagerly", "exp", "expand_dims", "expm1", "eye",
    "fill", "fixed_size_partitioner", "float16", "float32", "float64", "floor", "floor_div", "floordiv", "floormod",
    "foldl", "foldr", "gather", "gather_nd", "get_collection", "get_collection_ref", "get_default_graph",
    "get_default_session", "get_local_variable", "get_seed", "get_variable", "get_variable_scope", "global_norm",
    "global_variables", "global_variables_initializer", "glorot_normal_initializer", "glorot_uniform_initializer",
    "gradients", "graph_util", "greater", "greater_equal", "group", "half", "hessians", "identity", "identity_n",
    "igamma", "igammac", "imag", "import_graph_def", "initialize_all_tables", "initialize_all_variables",
    "initialize_local_variables", "initialize_variables", "initializers", "int16", "int32", "int64", "int8",
    "invert_permutation", "is_finite", "is_inf", "is_nan", "is_numeric_tensor", "is_variable_initialized",
    "jax_function", "layers", "less", "less_equal", "lgamma", "lin_space", "linalg", "linspace", "local_variables",
    "local_variables_initializer", "log", "log1p", "logdet", "logging", "logical_and", "logical_not", "logical_or",
    "logical_xor", "losses", "make_ndarray", "make_template", "make_tensor_proto", "map_fn", "math", "matmul",
    "matrix_band_part", "matrix_determinant", "matrix_diag", "matrix_diag_part", "matrix_inverse",
    "matrix_set_diag", "matrix_solve", "matrix_transpose", "matrix_triangular_solve", "maximum", "meshgrid",
    "min_max_variable_partitioner", "minimum", "mod", "model_variables", "moving_average_variables", "multinomial",
    "multiply", "name_scope", "negative", "nest", "newaxis", "nn", "no_gradient", "no_op", "no_regularizer", "norm",
    "not_equal", "numpy_function", "one_hot", "ones", "ones_initializer", "ones_like", "orthogonal_initializer",
    "pad", "placeholder", "placeholder_with_default", "polygamma", "pow", "print", "py_func", "qint16", "qint32",
    "qint8", "qr", "quint16", "quint8", "random", "random_gamma", "random_normal", "random_normal_initializer",
    "random_poisson", "random_shuffle", "random_uniform", "random_uniform_initializer", "range", "rank", "real",
    "realdiv", "reciprocal", "reduce_all", "reduce_any", "reduce_logsumexp", "reduce_max", "reduce_mean",
    "reduce_min", "reduce_prod", "reduce_sum", "register_tensor_conversion_function", "repeat",
    "report_uninitialized_variables", "reset_default_graph", "reshape", "resource", "reverse", "reverse_sequence",
    "reverse_v2", "rint", "roll", "round", "rsqrt", "saturate_cast", "scalar_mul", "scan", "scatter_add",
    "scatter_div", "scatter_max", "scatter_min", "scatter_mul", "scatter_nd", "scatter_nd_add", "scatter_nd_sub",
    "scatter_nd_update", "scatter_sub", "scatter_update", "searchsorted", "segment_max", "segment_mean",
    "segment_min", "segment_prod", "segment_sum", "self_adjoint_eig", "self_adjoint_eigvals", "sequence_mask",
    "set_random_seed", "setdiff1d", "shape", "shape_n", "sigmoid", "sign", "sin", "sinh", "size", "slice",
    "slogdet", "sort", "space_to_batch_nd", "space_to_depth", "sparse_placeholder", "sparse_tensor_dense_matmul",
    "sparse_tensor_to_dense", "sparse_to_dense", "split", "sqrt", "square", "squared_difference", "squeeze",
    "stack", "stop_gradient", "strided_slice", "string", "subtract", "summary", "svd", "switch_case",
    "tables_initializer", "tan", "tanh", "tensor_scatter_add", "tensor_scatter_nd_add", "tensor_scatter_nd_sub",
    "tensor_scatter_nd_update", "tensor_scatter_sub", "tensor_scatter_update", "tensordot", "tile", "to_bfloat16",
    "to_complex128", "to_complex64", "to_double", "to_float", "to_int32", "to_int64", "trace", "train",
    "trainable_variables", "transpose", "truediv", "truncated_normal", "truncated_normal_initializer",
    "truncatediv", "truncatemod", "tuple", "uint16", "uint32", "uint64", "uint8",
    "uniform_unit_scaling_initializer", "unique", "unique_with_counts", "unsorted_segment_max",
    "unsorted_segment_mean", "unsorted_segment_min", "unsorted_segment_prod", "unsorted_segment_sqrt_n",
    "unsorted_segment_sum", "unstack", "variable_axis_size_partitioner", "variable_creator_scope",
    "variable_op_scope", "variable_scope", "variable_tree", "variables_initializer", "variance_scaling_initializer",
    "variant", "where", "where_v2", "while_loop", "zeros", "zeros_initializer", "zeros_like", "zeta",
]
# fmt: on

__version__ = "0.1.0"
newaxis = None
_kept_memory.keep_memory()
_paused_collector.resume()


_PROTOS = {
    "ConfigProto": "config_pb2",
    "GPUOptions": "config_pb2",
    "GraphOptions": "config_pb2",
    "OptimizerOptions": "config_pb2",
    "RunOptions": "config_pb2",
    "RunMetadata": "config_pb2",
    "GraphDef": "graph_pb2",
    "NodeDef": "node_def_pb2",
    "AttrValue": "attr_value_pb2",
    "MetaGraphDef": "meta_graph_pb2",
    "Summary": "summary_pb2",
    "SummaryMetadata": "summary_pb2",
    "HistogramProto": "histogram_pb2",
    "Event": "event_pb2",
    "SessionLog": "event_pb2",
    "LogMessage": "event_pb2",
    "VariableDef": "variable_pb2",
}


def __getattr__(name: str) -> Any:
    # Protocol buffers cost 50 ms to import; most programs use none of them by name.
    if name in _PROTOS:
        return getattr(importlib.import_module(f"tensorboard.compat.proto.{_PROTOS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
