"""What calibration saw: the ranges of edges and of the quantities inside recurrent cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from edgernn.graph.tensor import AnyArray, FloatArray


class CalibrationMethod(str, Enum):
    """How one interval is drawn around the values seen."""

    MINMAX = "minmax"  # from the smallest to the largest: the safe default
    PERCENTILE = "percentile"  # leaves out the outermost values
    MSE = "mse"  # the interval whose 8-bit quantization has the least squared error


class Rounding(str, Enum):
    """How int8 weights are chosen where calibration saw what they multiply."""

    COMPENSATED = "compensated"  # errors make up for each other on the calibration data
    NEAREST = "nearest"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Range:
    """The interval that integers should cover, and the extremes of each channel.

    low <= high is the method's choice for the whole tensor; quantities that a sigmoid or a tanh
    is applied to are also cut at ±8 and ±4, where those are flat.  The channel extremes are what
    was really seen along the last axis, never cut.
    """

    low: float
    high: float
    channel_low: FloatArray  # [channels]
    channel_high: FloatArray  # [channels]
    mean: float | None = None  # of all numbers seen; None in files of earlier versions

    @property
    def magnitude(self) -> float:
        """max(|low|, |high|): what a symmetric integer covers."""
        return max(abs(self.low), abs(self.high))

    @property
    def channel_magnitude(self) -> FloatArray:
        return abs(self.channel_low).clip(min=abs(self.channel_high))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """Each channel of a layer's input, over the steps that the layer does not skip: [channels]."""

    low: FloatArray
    high: FloatArray
    mean: FloatArray
    deviation: FloatArray  # standard deviation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """What the columns of a layer's matrix multiply: mean and covariance of u, float64.

    u is x of a Dense, the window of a convolution, and (x, h) of a recurrent layer, h being the
    state that a step starts from.  K counts its elements; a convolution has groups, others one.
    """

    mean: AnyArray  # [groups, K]
    covariance: AnyArray  # [groups, K, K]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranges:
    """Ranges of one graph over one calibration set.

    >>> ranges.edges["dense_1"].magnitude
    >>> ranges.cells["gru_1"]["n_minus_h"].low

    The names inside cells are GRU_TAPS, LSTM_TAPS and RNN_TAPS of `edgernn.reference.recurrent`;
    masked steps are left out of those and of `inputs`, and of nothing else.
    """

    graph_fingerprint: str  # see edgernn.graph.fingerprint
    method: CalibrationMethod
    samples: int
    edges: Mapping[str, Range]  # float edges by name
    cells: Mapping[str, Mapping[str, Range]]  # recurrent layer -> quantity -> [H] channels
    inputs: Mapping[str, Features] = field(default_factory=dict)  # layer that multiplies -> input
    moments: Mapping[str, Moments] = field(default_factory=dict)  # layer with a kernel -> inputs
    #: Of a Gru that resets before its product: r * h in place of h, for the candidate's columns.
    candidates: Mapping[str, Moments] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()  # sentences about the calibration data


def as_minmax(ranges: Ranges) -> Ranges:
    """The ranges of edges from the smallest to the largest number seen, whatever method drew them.

    >>> as_minmax(ranges).method
    <CalibrationMethod.MINMAX: 'minmax'>
    """
    edges = {
        name: replace(
            entry,
            low=float(entry.channel_low.min(initial=entry.low)),
            high=float(entry.channel_high.max(initial=entry.high)),
        )
        for name, entry in ranges.edges.items()
    }
    return replace(ranges, edges=edges, method=CalibrationMethod.MINMAX)
