"""The files that a comparison makes of each model."""

from __future__ import annotations

from edgernn.scheme import Scheme
from edgernn.selection.work import Forms


def test_a_format_without_int4_is_left_out_of_it() -> None:
    forms = Forms(formats=("native", "tflite"), schemes=(Scheme.INT8, Scheme.INT4))
    assert forms.having(Scheme.INT8) == ("native", "tflite")
    assert forms.having(Scheme.INT4) == ("native",)


def test_a_scheme_that_no_format_has_is_refused_by_name() -> None:
    forms = Forms(formats=("tflite",), schemes=(Scheme.INT4,))
    assert forms.having(Scheme.INT4) == ("tflite",)
