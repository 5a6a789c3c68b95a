"""TensorFlow 1's sessions on JAX: a deferred graph, `Session.run`, and the monitored session around it.

    import monitored as tf

and a TensorFlow 1 training script runs, restores its checkpoints, and writes checkpoints that TensorFlow restores.
The names are TensorFlow's; see `monitored.train` for the sessions, hooks, savers and optimizers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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

from monitored import compat as compat
from monitored import debugging as debugging
from monitored import dtypes as dtypes
from monitored import errors as errors
from monitored import initializers as initializers
from monitored import linalg as linalg
from monitored import logging as logging
from monitored import losses as losses
from monitored import math as math
from monitored import nest as nest
from monitored import nn as nn
from monitored import random as random
from monitored import summary as summary
from monitored import train as train
from monitored._graph.build import constant as constant
from monitored._graph.build import convert_to_tensor as convert_to_tensor
from monitored._graph.build import register_tensor_conversion_function as register_tensor_conversion_function
from monitored._graph.collections import GraphKeys as GraphKeys
from monitored._graph.collections import add_to_collection as add_to_collection
from monitored._graph.collections import add_to_collections as add_to_collections
from monitored._graph.collections import get_collection as get_collection
from monitored._graph.collections import get_collection_ref as get_collection_ref
from monitored._graph.defaults import get_default_session as get_default_session
from monitored._graph.dtypes import DType as DType
from monitored._graph.dtypes import as_dtype as as_dtype
from monitored._graph.dtypes import bfloat16 as bfloat16
from monitored._graph.dtypes import bool_ as bool
from monitored._graph.dtypes import complex64 as complex64
from monitored._graph.dtypes import complex128 as complex128
from monitored._graph.dtypes import double as double
from monitored._graph.dtypes import float16 as float16
from monitored._graph.dtypes import float32 as float32
from monitored._graph.dtypes import float64 as float64
from monitored._graph.dtypes import half as half
from monitored._graph.dtypes import int8 as int8
from monitored._graph.dtypes import int16 as int16
from monitored._graph.dtypes import int32 as int32
from monitored._graph.dtypes import int64 as int64
from monitored._graph.dtypes import qint8 as qint8
from monitored._graph.dtypes import qint16 as qint16
from monitored._graph.dtypes import qint32 as qint32
from monitored._graph.dtypes import quint8 as quint8
from monitored._graph.dtypes import quint16 as quint16
from monitored._graph.dtypes import resource as resource
from monitored._graph.dtypes import string as string
from monitored._graph.dtypes import uint8 as uint8
from monitored._graph.dtypes import uint16 as uint16
from monitored._graph.dtypes import uint32 as uint32
from monitored._graph.dtypes import uint64 as uint64
from monitored._graph.dtypes import variant as variant
from monitored._graph.graph import Graph as Graph
from monitored._graph.graph import colocate_with as colocate_with
from monitored._graph.graph import control_dependencies as control_dependencies
from monitored._graph.graph import device as device
from monitored._graph.graph import get_default_graph as get_default_graph
from monitored._graph.graph import name_scope as name_scope
from monitored._graph.graph import reset_default_graph as reset_default_graph
from monitored._graph.indexed_slices import IndexedSlices as IndexedSlices
from monitored._graph.indexed_slices import IndexedSlicesValue as IndexedSlicesValue
from monitored._graph.node_def import make_ndarray as make_ndarray
from monitored._graph.node_def import make_tensor_proto as make_tensor_proto
from monitored._graph.operation import Operation as Operation
from monitored._graph.operation import Tensor as Tensor
from monitored._graph.shapes import Dimension as Dimension
from monitored._graph.shapes import TensorShape as TensorShape
from monitored._ops import operators as _operators  # noqa: F401  (gives tensors their operators)
from monitored._ops.arranging import batch_to_space_nd as batch_to_space_nd
from monitored._ops.arranging import depth_to_space as depth_to_space
from monitored._ops.arranging import meshgrid as meshgrid
from monitored._ops.arranging import one_hot as one_hot
from monitored._ops.arranging import repeat as repeat
from monitored._ops.arranging import sequence_mask as sequence_mask
from monitored._ops.arranging import space_to_batch_nd as space_to_batch_nd
from monitored._ops.arranging import space_to_depth as space_to_depth
from monitored._ops.array import broadcast_dynamic_shape as broadcast_dynamic_shape
from monitored._ops.array import broadcast_static_shape as broadcast_static_shape
from monitored._ops.array import broadcast_to as broadcast_to
from monitored._ops.array import expand_dims as expand_dims
from monitored._ops.array import identity as identity
from monitored._ops.array import identity_n as identity_n
from monitored._ops.array import placeholder as placeholder
from monitored._ops.array import placeholder_with_default as placeholder_with_default
from monitored._ops.array import rank as rank
from monitored._ops.array import reshape as reshape
from monitored._ops.array import shape as shape
from monitored._ops.array import shape_n as shape_n
from monitored._ops.array import size as size
from monitored._ops.array import squeeze as squeeze
from monitored._ops.array import stop_gradient as stop_gradient
from monitored._ops.array import transpose as transpose
from monitored._ops.casts import angle as angle
from monitored._ops.casts import bitcast as bitcast
from monitored._ops.casts import cast as cast
from monitored._ops.casts import complex as complex
from monitored._ops.casts import conj as conj
from monitored._ops.casts import imag as imag
from monitored._ops.casts import real as real
from monitored._ops.casts import saturate_cast as saturate_cast
from monitored._ops.casts import to_bfloat16 as to_bfloat16
from monitored._ops.casts import to_complex64 as to_complex64
from monitored._ops.casts import to_complex128 as to_complex128
from monitored._ops.casts import to_double as to_double
from monitored._ops.casts import to_float as to_float
from monitored._ops.casts import to_int32 as to_int32
from monitored._ops.casts import to_int64 as to_int64
from monitored._ops.check import assert_equal as assert_equal
from monitored._ops.check import assert_greater as assert_greater
from monitored._ops.check import assert_greater_equal as assert_greater_equal
from monitored._ops.check import assert_integer as assert_integer
from monitored._ops.check import assert_less as assert_less
from monitored._ops.check import assert_less_equal as assert_less_equal
from monitored._ops.check import assert_near as assert_near
from monitored._ops.check import assert_negative as assert_negative
from monitored._ops.check import assert_non_negative as assert_non_negative
from monitored._ops.check import assert_non_positive as assert_non_positive
from monitored._ops.check import assert_none_equal as assert_none_equal
from monitored._ops.check import assert_positive as assert_positive
from monitored._ops.check import assert_proper_iterable as assert_proper_iterable
from monitored._ops.check import assert_rank as assert_rank
from monitored._ops.check import assert_rank_at_least as assert_rank_at_least
from monitored._ops.check import assert_rank_in as assert_rank_in
from monitored._ops.check import assert_same_float_dtype as assert_same_float_dtype
from monitored._ops.check import assert_scalar as assert_scalar
from monitored._ops.check import assert_type as assert_type
from monitored._ops.check import ensure_shape as ensure_shape
from monitored._ops.check import is_numeric_tensor as is_numeric_tensor
from monitored._ops.clip import clip_by_average_norm as clip_by_average_norm
from monitored._ops.clip import clip_by_global_norm as clip_by_global_norm
from monitored._ops.clip import clip_by_norm as clip_by_norm
from monitored._ops.clip import clip_by_value as clip_by_value
from monitored._ops.clip import global_norm as global_norm
from monitored._ops.control_flow import cond as cond
from monitored._ops.control_flow import group as group
from monitored._ops.control_flow import no_op as no_op
from monitored._ops.control_flow import tuple as tuple
from monitored._ops.fill import fill as fill
from monitored._ops.fill import ones as ones
from monitored._ops.fill import ones_like as ones_like
from monitored._ops.fill import zeros as zeros
from monitored._ops.fill import zeros_like as zeros_like
from monitored._ops.gathering import batch_gather as batch_gather
from monitored._ops.gathering import gather as gather
from monitored._ops.gathering import gather_nd as gather_nd
from monitored._ops.gathering import invert_permutation as invert_permutation
from monitored._ops.gathering import scatter_nd as scatter_nd
from monitored._ops.gathering import tensor_scatter_add as tensor_scatter_add
from monitored._ops.gathering import tensor_scatter_nd_add as tensor_scatter_nd_add
from monitored._ops.gathering import tensor_scatter_nd_sub as tensor_scatter_nd_sub
from monitored._ops.gathering import tensor_scatter_nd_update as tensor_scatter_nd_update
from monitored._ops.gathering import tensor_scatter_sub as tensor_scatter_sub
from monitored._ops.gathering import tensor_scatter_update as tensor_scatter_update
from monitored._ops.gathering import where as where
from monitored._ops.gathering import where_v2 as where_v2
from monitored._ops.gradients import AggregationMethod as AggregationMethod
from monitored._ops.gradients import UnconnectedGradients as UnconnectedGradients
from monitored._ops.gradients import gradients as gradients
from monitored._ops.initializers import constant_initializer as constant_initializer
from monitored._ops.initializers import glorot_normal_initializer as glorot_normal_initializer
from monitored._ops.initializers import glorot_uniform_initializer as glorot_uniform_initializer
from monitored._ops.initializers import ones_initializer as ones_initializer
from monitored._ops.initializers import orthogonal_initializer as orthogonal_initializer
from monitored._ops.initializers import random_normal_initializer as random_normal_initializer
from monitored._ops.initializers import random_uniform_initializer as random_uniform_initializer
from monitored._ops.initializers import truncated_normal_initializer as truncated_normal_initializer
from monitored._ops.initializers import uniform_unit_scaling_initializer as uniform_unit_scaling_initializer
from monitored._ops.initializers import variance_scaling_initializer as variance_scaling_initializer
from monitored._ops.initializers import zeros_initializer as zeros_initializer
from monitored._ops.jax_function import jax_function as jax_function
from monitored._ops.jax_function import variable_tree as variable_tree
from monitored._ops.joining import concat as concat
from monitored._ops.joining import pad as pad
from monitored._ops.joining import reverse as reverse
from monitored._ops.joining import reverse_sequence as reverse_sequence
from monitored._ops.joining import reverse_v2 as reverse_v2
from monitored._ops.joining import roll as roll
from monitored._ops.joining import split as split
from monitored._ops.joining import stack as stack
from monitored._ops.joining import tile as tile
from monitored._ops.joining import unstack as unstack
from monitored._ops.linalg import einsum as einsum
from monitored._ops.linalg import matmul as matmul
from monitored._ops.linalg import matrix_transpose as matrix_transpose
from monitored._ops.linalg import tensordot as tensordot
from monitored._ops.masking import boolean_mask as boolean_mask
from monitored._ops.masking import dynamic_partition as dynamic_partition
from monitored._ops.masking import dynamic_stitch as dynamic_stitch
from monitored._ops.masking import searchsorted as searchsorted
from monitored._ops.masking import setdiff1d as setdiff1d
from monitored._ops.masking import unique as unique
from monitored._ops.masking import unique_with_counts as unique_with_counts
from monitored._ops.math import abs as abs
from monitored._ops.math import accumulate_n as accumulate_n
from monitored._ops.math import acos as acos
from monitored._ops.math import acosh as acosh
from monitored._ops.math import add as add
from monitored._ops.math import add_n as add_n
from monitored._ops.math import asin as asin
from monitored._ops.math import asinh as asinh
from monitored._ops.math import atan as atan
from monitored._ops.math import atan2 as atan2
from monitored._ops.math import atanh as atanh
from monitored._ops.math import ceil as ceil
from monitored._ops.math import cos as cos
from monitored._ops.math import cosh as cosh
from monitored._ops.math import digamma as digamma
from monitored._ops.math import div as div
from monitored._ops.math import div_no_nan as div_no_nan
from monitored._ops.math import divide as divide
from monitored._ops.math import equal as equal
from monitored._ops.math import erf as erf
from monitored._ops.math import erfc as erfc
from monitored._ops.math import exp as exp
from monitored._ops.math import expm1 as expm1
from monitored._ops.math import floor as floor
from monitored._ops.math import floor_div as floor_div
from monitored._ops.math import floordiv as floordiv
from monitored._ops.math import floormod as floormod
from monitored._ops.math import greater as greater
from monitored._ops.math import greater_equal as greater_equal
from monitored._ops.math import is_finite as is_finite
from monitored._ops.math import is_inf as is_inf
from monitored._ops.math import is_nan as is_nan
from monitored._ops.math import less as less
from monitored._ops.math import less_equal as less_equal
from monitored._ops.math import lgamma as lgamma
from monitored._ops.math import log as log
from monitored._ops.math import log1p as log1p
from monitored._ops.math import logical_and as logical_and
from monitored._ops.math import logical_not as logical_not
from monitored._ops.math import logical_or as logical_or
from monitored._ops.math import logical_xor as logical_xor
from monitored._ops.math import maximum as maximum
from monitored._ops.math import minimum as minimum
from monitored._ops.math import mod as mod
from monitored._ops.math import multiply as multiply
from monitored._ops.math import negative as negative
from monitored._ops.math import not_equal as not_equal
from monitored._ops.math import pow as pow
from monitored._ops.math import realdiv as realdiv
from monitored._ops.math import reciprocal as reciprocal
from monitored._ops.math import rint as rint
from monitored._ops.math import round as round
from monitored._ops.math import rsqrt as rsqrt
from monitored._ops.math import scalar_mul as scalar_mul
from monitored._ops.math import sign as sign
from monitored._ops.math import sin as sin
from monitored._ops.math import sinh as sinh
from monitored._ops.math import sqrt as sqrt
from monitored._ops.math import square as square
from monitored._ops.math import squared_difference as squared_difference
from monitored._ops.math import subtract as subtract
from monitored._ops.math import tan as tan
from monitored._ops.math import tanh as tanh
from monitored._ops.math import truediv as truediv
from monitored._ops.math import truncatediv as truncatediv
from monitored._ops.math import truncatemod as truncatemod
from monitored._ops.matrices import cholesky as cholesky
from monitored._ops.matrices import cholesky_solve as cholesky_solve
from monitored._ops.matrices import cross as cross
from monitored._ops.matrices import diag as diag
from monitored._ops.matrices import diag_part as diag_part
from monitored._ops.matrices import eye as eye
from monitored._ops.matrices import logdet as logdet
from monitored._ops.matrices import matrix_band_part as matrix_band_part
from monitored._ops.matrices import matrix_determinant as matrix_determinant
from monitored._ops.matrices import matrix_diag as matrix_diag
from monitored._ops.matrices import matrix_diag_part as matrix_diag_part
from monitored._ops.matrices import matrix_inverse as matrix_inverse
from monitored._ops.matrices import matrix_set_diag as matrix_set_diag
from monitored._ops.matrices import matrix_solve as matrix_solve
from monitored._ops.matrices import matrix_triangular_solve as matrix_triangular_solve
from monitored._ops.matrices import qr as qr
from monitored._ops.matrices import self_adjoint_eig as self_adjoint_eig
from monitored._ops.matrices import self_adjoint_eigvals as self_adjoint_eigvals
from monitored._ops.matrices import slogdet as slogdet
from monitored._ops.matrices import svd as svd
from monitored._ops.matrices import trace as trace
from monitored._ops.numerics import check_numerics as check_numerics
from monitored._ops.printing import Assert as Assert
from monitored._ops.printing import Print as Print
from monitored._ops.printing import print_v2 as print
from monitored._ops.queues import FIFOQueue as FIFOQueue
from monitored._ops.queues import PaddingFIFOQueue as PaddingFIFOQueue
from monitored._ops.queues import PriorityQueue as PriorityQueue
from monitored._ops.queues import QueueBase as QueueBase
from monitored._ops.queues import RandomShuffleQueue as RandomShuffleQueue
from monitored._ops.random import get_seed as get_seed
from monitored._ops.random import multinomial as multinomial
from monitored._ops.random import random_gamma as random_gamma
from monitored._ops.random import random_normal as random_normal
from monitored._ops.random import random_poisson as random_poisson
from monitored._ops.random import random_shuffle as random_shuffle
from monitored._ops.random import random_uniform as random_uniform
from monitored._ops.random import set_random_seed as set_random_seed
from monitored._ops.random import truncated_normal as truncated_normal
from monitored._ops.reductions import arg_max as arg_max
from monitored._ops.reductions import arg_min as arg_min
from monitored._ops.reductions import argmax as argmax
from monitored._ops.reductions import argmin as argmin
from monitored._ops.reductions import count_nonzero as count_nonzero
from monitored._ops.reductions import norm as norm
from monitored._ops.reductions import reduce_all as reduce_all
from monitored._ops.reductions import reduce_any as reduce_any
from monitored._ops.reductions import reduce_logsumexp as reduce_logsumexp
from monitored._ops.reductions import reduce_max as reduce_max
from monitored._ops.reductions import reduce_mean as reduce_mean
from monitored._ops.reductions import reduce_min as reduce_min
from monitored._ops.reductions import reduce_prod as reduce_prod
from monitored._ops.reductions import reduce_sum as reduce_sum
from monitored._ops.script import numpy_function as numpy_function
from monitored._ops.script import py_func as py_func
from monitored._ops.segments import segment_max as segment_max
from monitored._ops.segments import segment_mean as segment_mean
from monitored._ops.segments import segment_min as segment_min
from monitored._ops.segments import segment_prod as segment_prod
from monitored._ops.segments import segment_sum as segment_sum
from monitored._ops.segments import unsorted_segment_max as unsorted_segment_max
from monitored._ops.segments import unsorted_segment_mean as unsorted_segment_mean
from monitored._ops.segments import unsorted_segment_min as unsorted_segment_min
from monitored._ops.segments import unsorted_segment_prod as unsorted_segment_prod
from monitored._ops.segments import unsorted_segment_sqrt_n as unsorted_segment_sqrt_n
from monitored._ops.segments import unsorted_segment_sum as unsorted_segment_sum
from monitored._ops.sequences import argsort as argsort
from monitored._ops.sequences import cumprod as cumprod
from monitored._ops.sequences import cumsum as cumsum
from monitored._ops.sequences import cumulative_logsumexp as cumulative_logsumexp
from monitored._ops.sequences import lin_space as lin_space
from monitored._ops.sequences import linspace as linspace
from monitored._ops.sequences import range as range
from monitored._ops.sequences import sort as sort
from monitored._ops.slicing import slice as slice
from monitored._ops.slicing import strided_slice as strided_slice
from monitored._ops.special import betainc as betainc
from monitored._ops.special import igamma as igamma
from monitored._ops.special import igammac as igammac
from monitored._ops.special import polygamma as polygamma
from monitored._ops.special import zeta as zeta
from monitored._ops.template import make_template as make_template
from monitored._ops.tensor_array import TensorArray as TensorArray
from monitored._ops.variable_ops import all_variables as all_variables
from monitored._ops.variable_ops import assert_variables_initialized as assert_variables_initialized
from monitored._ops.variable_ops import assign as assign
from monitored._ops.variable_ops import assign_add as assign_add
from monitored._ops.variable_ops import assign_sub as assign_sub
from monitored._ops.variable_ops import global_variables as global_variables
from monitored._ops.variable_ops import global_variables_initializer as global_variables_initializer
from monitored._ops.variable_ops import initialize_all_variables as initialize_all_variables
from monitored._ops.variable_ops import initialize_local_variables as initialize_local_variables
from monitored._ops.variable_ops import initialize_variables as initialize_variables
from monitored._ops.variable_ops import is_variable_initialized as is_variable_initialized
from monitored._ops.variable_ops import local_variables as local_variables
from monitored._ops.variable_ops import local_variables_initializer as local_variables_initializer
from monitored._ops.variable_ops import model_variables as model_variables
from monitored._ops.variable_ops import moving_average_variables as moving_average_variables
from monitored._ops.variable_ops import report_uninitialized_variables as report_uninitialized_variables
from monitored._ops.variable_ops import scatter_add as scatter_add
from monitored._ops.variable_ops import scatter_div as scatter_div
from monitored._ops.variable_ops import scatter_max as scatter_max
from monitored._ops.variable_ops import scatter_min as scatter_min
from monitored._ops.variable_ops import scatter_mul as scatter_mul
from monitored._ops.variable_ops import scatter_nd_add as scatter_nd_add
from monitored._ops.variable_ops import scatter_nd_sub as scatter_nd_sub
from monitored._ops.variable_ops import scatter_nd_update as scatter_nd_update
from monitored._ops.variable_ops import scatter_sub as scatter_sub
from monitored._ops.variable_ops import scatter_update as scatter_update
from monitored._ops.variable_ops import trainable_variables as trainable_variables
from monitored._ops.variable_ops import variables_initializer as variables_initializer
from monitored._ops.variable_scope import AUTO_REUSE as AUTO_REUSE
from monitored._ops.variable_scope import VariableScope as VariableScope
from monitored._ops.variable_scope import get_local_variable as get_local_variable
from monitored._ops.variable_scope import get_variable as get_variable
from monitored._ops.variable_scope import get_variable_scope as get_variable_scope
from monitored._ops.variable_scope import no_regularizer as no_regularizer
from monitored._ops.variable_scope import variable_op_scope as variable_op_scope
from monitored._ops.variable_scope import variable_scope as variable_scope
from monitored._ops.variables import Variable as Variable
from monitored._ops.variables import VariableAggregation as VariableAggregation
from monitored._ops.variables import VariableSynchronization as VariableSynchronization
from monitored._ops.while_loop import while_loop as while_loop
from monitored._run.session import InteractiveSession as InteractiveSession
from monitored._run.session import Session as Session

__all__ = [
    "AUTO_REUSE",
    "AggregationMethod",
    "Assert",
    "AttrValue",
    "ConfigProto",
    "DType",
    "Dimension",
    "Event",
    "FIFOQueue",
    "GPUOptions",
    "Graph",
    "GraphDef",
    "GraphKeys",
    "GraphOptions",
    "HistogramProto",
    "IndexedSlices",
    "IndexedSlicesValue",
    "InteractiveSession",
    "LogMessage",
    "MetaGraphDef",
    "NodeDef",
    "Operation",
    "OptimizerOptions",
    "PaddingFIFOQueue",
    "Print",
    "PriorityQueue",
    "QueueBase",
    "RandomShuffleQueue",
    "RunMetadata",
    "RunOptions",
    "Session",
    "SessionLog",
    "Summary",
    "SummaryMetadata",
    "Tensor",
    "TensorArray",
    "TensorShape",
    "UnconnectedGradients",
    "Variable",
    "VariableAggregation",
    "VariableDef",
    "VariableScope",
    "VariableSynchronization",
    "__version__",
    "abs",
    "accumulate_n",
    "acos",
    "acosh",
    "add",
    "add_n",
    "add_to_collection",
    "add_to_collections",
    "all_variables",
    "angle",
    "arg_max",
    "arg_min",
    "argmax",
    "argmin",
    "argsort",
    "as_dtype",
    "asin",
    "asinh",
    "assert_equal",
    "assert_greater",
    "assert_greater_equal",
    "assert_integer",
    "assert_less",
    "assert_less_equal",
    "assert_near",
    "assert_negative",
    "assert_non_negative",
    "assert_non_positive",
    "assert_none_equal",
    "assert_positive",
    "assert_proper_iterable",
    "assert_rank",
    "assert_rank_at_least",
    "assert_rank_in",
    "assert_same_float_dtype",
    "assert_scalar",
    "assert_type",
    "assert_variables_initialized",
    "assign",
    "assign_add",
    "assign_sub",
    "atan",
    "atan2",
    "atanh",
    "batch_gather",
    "batch_to_space_nd",
    "betainc",
    "bfloat16",
    "bitcast",
    "bool",
    "boolean_mask",
    "broadcast_dynamic_shape",
    "broadcast_static_shape",
    "broadcast_to",
    "cast",
    "ceil",
    "check_numerics",
    "cholesky",
    "cholesky_solve",
    "clip_by_average_norm",
    "clip_by_global_norm",
    "clip_by_norm",
    "clip_by_value",
    "colocate_with",
    "compat",
    "complex",
    "complex64",
    "complex128",
    "concat",
    "cond",
    "conj",
    "constant",
    "constant_initializer",
    "control_dependencies",
    "convert_to_tensor",
    "cos",
    "cosh",
    "count_nonzero",
    "cross",
    "cumprod",
    "cumsum",
    "cumulative_logsumexp",
    "debugging",
    "depth_to_space",
    "device",
    "diag",
    "diag_part",
    "digamma",
    "div",
    "div_no_nan",
    "divide",
    "double",
    "dtypes",
    "dynamic_partition",
    "dynamic_stitch",
    "einsum",
    "ensure_shape",
    "equal",
    "erf",
    "erfc",
    "errors",
    "exp",
    "expand_dims",
    "expm1",
    "eye",
    "fill",
    "float16",
    "float32",
    "float64",
    "floor",
    "floor_div",
    "floordiv",
    "floormod",
    "gather",
    "gather_nd",
    "get_collection",
    "get_collection_ref",
    "get_default_graph",
    "get_default_session",
    "get_local_variable",
    "get_seed",
    "get_variable",
    "get_variable_scope",
    "global_norm",
    "global_variables",
    "global_variables_initializer",
    "glorot_normal_initializer",
    "glorot_uniform_initializer",
    "gradients",
    "greater",
    "greater_equal",
    "group",
    "half",
    "identity",
    "identity_n",
    "igamma",
    "igammac",
    "imag",
    "initialize_all_variables",
    "initialize_local_variables",
    "initialize_variables",
    "initializers",
    "int8",
    "int16",
    "int32",
    "int64",
    "invert_permutation",
    "is_finite",
    "is_inf",
    "is_nan",
    "is_numeric_tensor",
    "is_variable_initialized",
    "jax_function",
    "less",
    "less_equal",
    "lgamma",
    "lin_space",
    "linalg",
    "linspace",
    "local_variables",
    "local_variables_initializer",
    "log",
    "log1p",
    "logdet",
    "logging",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "losses",
    "make_ndarray",
    "make_template",
    "make_tensor_proto",
    "math",
    "matmul",
    "matrix_band_part",
    "matrix_determinant",
    "matrix_diag",
    "matrix_diag_part",
    "matrix_inverse",
    "matrix_set_diag",
    "matrix_solve",
    "matrix_transpose",
    "matrix_triangular_solve",
    "maximum",
    "meshgrid",
    "minimum",
    "mod",
    "model_variables",
    "moving_average_variables",
    "multinomial",
    "multiply",
    "name_scope",
    "negative",
    "nest",
    "newaxis",
    "nn",
    "no_op",
    "no_regularizer",
    "norm",
    "not_equal",
    "numpy_function",
    "one_hot",
    "ones",
    "ones_initializer",
    "ones_like",
    "orthogonal_initializer",
    "pad",
    "placeholder",
    "placeholder_with_default",
    "polygamma",
    "pow",
    "print",
    "py_func",
    "qint8",
    "qint16",
    "qint32",
    "qr",
    "quint8",
    "quint16",
    "random",
    "random_gamma",
    "random_normal",
    "random_normal_initializer",
    "random_poisson",
    "random_shuffle",
    "random_uniform",
    "random_uniform_initializer",
    "range",
    "rank",
    "real",
    "realdiv",
    "reciprocal",
    "reduce_all",
    "reduce_any",
    "reduce_logsumexp",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_prod",
    "reduce_sum",
    "register_tensor_conversion_function",
    "repeat",
    "report_uninitialized_variables",
    "reset_default_graph",
    "reshape",
    "resource",
    "reverse",
    "reverse_sequence",
    "reverse_v2",
    "rint",
    "roll",
    "round",
    "rsqrt",
    "saturate_cast",
    "scalar_mul",
    "scatter_add",
    "scatter_div",
    "scatter_max",
    "scatter_min",
    "scatter_mul",
    "scatter_nd",
    "scatter_nd_add",
    "scatter_nd_sub",
    "scatter_nd_update",
    "scatter_sub",
    "scatter_update",
    "searchsorted",
    "segment_max",
    "segment_mean",
    "segment_min",
    "segment_prod",
    "segment_sum",
    "self_adjoint_eig",
    "self_adjoint_eigvals",
    "sequence_mask",
    "set_random_seed",
    "setdiff1d",
    "shape",
    "shape_n",
    "sign",
    "sin",
    "sinh",
    "size",
    "slice",
    "slogdet",
    "sort",
    "space_to_batch_nd",
    "space_to_depth",
    "split",
    "sqrt",
    "square",
    "squared_difference",
    "squeeze",
    "stack",
    "stop_gradient",
    "strided_slice",
    "string",
    "subtract",
    "summary",
    "svd",
    "tan",
    "tanh",
    "tensor_scatter_add",
    "tensor_scatter_nd_add",
    "tensor_scatter_nd_sub",
    "tensor_scatter_nd_update",
    "tensor_scatter_sub",
    "tensor_scatter_update",
    "tensordot",
    "tile",
    "to_bfloat16",
    "to_complex64",
    "to_complex128",
    "to_double",
    "to_float",
    "to_int32",
    "to_int64",
    "trace",
    "train",
    "trainable_variables",
    "transpose",
    "truediv",
    "truncated_normal",
    "truncated_normal_initializer",
    "truncatediv",
    "truncatemod",
    "tuple",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "uniform_unit_scaling_initializer",
    "unique",
    "unique_with_counts",
    "unsorted_segment_max",
    "unsorted_segment_mean",
    "unsorted_segment_min",
    "unsorted_segment_prod",
    "unsorted_segment_sqrt_n",
    "unsorted_segment_sum",
    "unstack",
    "variable_op_scope",
    "variable_scope",
    "variable_tree",
    "variables_initializer",
    "variance_scaling_initializer",
    "variant",
    "where",
    "where_v2",
    "while_loop",
    "zeros",
    "zeros_initializer",
    "zeros_like",
    "zeta",
]

__version__ = "0.1.0"
newaxis = None


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
