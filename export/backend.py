"""What a back end is: the code that writes and reads one file format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from edgernn.graph import AnyArray, Graph, Layer
from edgernn.interrupts import uninterrupted

if TYPE_CHECKING:
    from edgernn.export.contents import Contents


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """What a back end made of a graph: the content of its files, and facts for reports."""

    content: bytes  # the model file
    extra_files: Mapping[str, bytes] = field(default_factory=dict)  # suffix -> content
    details: Mapping[str, str] = field(default_factory=dict)  # e.g. opset, lowering chosen and why
    graph: Graph | None = None  # as written, where sizes that were free had to be fixed
    exact: Graph | None = None  # an int8 graph whose integers the file computes bit for bit


#: (int8 graph, layer, every edge as float32) -> the edges that the layer writes, with the rounding
#: of activations that a format's runtime does.
Simulate = Callable[[Graph, Layer, Mapping[str, AnyArray]], tuple[AnyArray, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """What an int8 file computes, and when finer activations are worth their price there."""

    simulate: Simulate
    quiet: float  # noise of all activations that is not worth it, over the outputs' variance
    has_sixteen: bool = False  # 16-bit inputs and states, beside 8 bits
    has_rows: bool = False  # float gates and states beside products of integers, a scale a row
    #: What keeps a file from float32 activations ("the profile micro").  Without 16 bits, too,
    #: finer ones are only wanted.
    coarse_by: str = ""
    #: A layer with a plan computes the integers of docs/integer-arithmetic.md, bit by bit.
    is_exact: bool = False


class ArithmeticFor(Protocol):
    """The arithmetic of a format by its own options.  None where nothing is rounded."""

    def __call__(self, **options: str) -> Arithmetic | None: ...


class Lower(Protocol):
    """Makes a graph into the content of a file.  It neither reads nor writes files."""

    def __call__(self, graph: Graph, *, metadata: Mapping[str, str]) -> Lowered:
        """The graph in this format; `metadata` goes into the file where the format has a place.

        The scheme is in the graph: float16 or int8 weights are stored as such.  The format's own
        choices (`Format.options`) are further keywords, each with a default.

        Raises UnsupportedLayer where the format cannot express a layer.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The functions of a format.  Its name, suffix and schemes are in `edgernn.formats`.

    read_contents: the facts of a file's bytes, for `edgernn inspect`; raises `contents.Damaged`.
    arithmetic: what an int8 file computes; None for a format without integers.
    library: the module of C or C++ code that `lower` imports, if any: see `import_library`.
    """

    lower: Lower
    read_contents: Callable[[bytes], Contents]
    arithmetic: ArithmeticFor | None = None
    library: str | None = None

    def import_library(self) -> None:
        """Imports `library`; Ctrl-C waits for the end of that.

        In the middle of it the interrupt meets C++ code that ends the whole process (abort), and
        what was begun would stay on the disk.
        """
        if self.library is not None:
            with uninterrupted():
                import_module(self.library)
