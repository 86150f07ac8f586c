"""What to make of a model: formats, scheme, ranges, checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from edgernn.artefact import Artefact
from edgernn.export.fine_layers import FineLayers
from edgernn.export.float_runs import FloatRuns
from edgernn.export.kept_graphs import KeptGraphs
from edgernn.export.rows import Examples
from edgernn.graph import Decoding, Graph, Ranges
from edgernn.recipe import RowRecipe
from edgernn.scheme import Scheme
from edgernn.tasks.training_log import TrainingLog


class LossLimit(Protocol):
    """How much a file may lose on labelled rows.

    noise: what each int8 layer alone adds at the outputs, over their variance.
    require: raises LossTooLarge for a file in a folder that loses more, measured in its runtime, or
    where that is not installed, of the graph (of whole sequences) by the reference.
    """

    @property
    def noise(self) -> Mapping[str, float]: ...

    def require(self, artefact: Artefact, folder: Path, graph: Graph) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to make of a model."""

    backends: tuple[str, ...] | None = None  # None: all that can express the model
    scheme: Scheme = Scheme.FLOAT32
    ranges: Ranges | None = None  # of `float_graph`; needed by int8
    keep_float: tuple[str, ...] = ()  # layers
    per_layer: Mapping[str, Scheme] = field(default_factory=dict)
    streaming: bool = False
    decoding: Decoding | None = None  # split into the encoder and one step of the decoder
    part: str = ""  # "encoder" or "decoder": which of the two a file is
    verify: bool = True
    require_verify: bool = False  # a file whose runtime is missing is an error
    labels: tuple[str, ...] = ()
    front_end: RowRecipe | None = None  # how the rows of an input are made of sound
    training: TrainingLog | None = None  # written beside the artefacts, for reports
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # back end -> its own
    examples: Examples | None = None  # real rows that the files are checked on
    #: Format -> layers that compute with more than 8 bits there; None: not chosen yet.
    fine: Mapping[str, FineLayers] | None = None
    #: Of the float model over the first examples, as far as they were made.
    runs: FloatRuns | None = None
    kept: KeptGraphs = field(default_factory=KeptGraphs, repr=False)  # shared by all made of this
    limit: LossLimit | None = None  # what each file is held to; formats keep more layers in float

    @property
    def fewest_bits(self) -> Scheme:
        """The requested scheme with the fewest bits: it is in the names of the artefacts."""
        return max([self.scheme, *self.per_layer.values()], key=list(Scheme).index)
