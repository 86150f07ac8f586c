"""An absurd argument of the Python interface is a sentence, before any work begins."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgernn
from edgernn.errors import WrongOption
from edgernn.front.arguments import checked_arguments
from edgernn.front.loaded import Loaded
from edgernn.front.made import Made
from edgernn.front.reports import Report
from tests.golden import GOLDEN

SMALL = GOLDEN / "small_gru.keras"
#: Of no use for any argument.
ABSURD = (3.5, object(), b"x", [[1]], {1: 2})
CHECKED = (
    Loaded.export, Made.profile, Report.write, Report.check, edgernn.compare, edgernn.search,
    edgernn.compare_models, edgernn.measure,
)  # fmt: skip


@pytest.mark.parametrize("function", CHECKED, ids=lambda function: function.__qualname__)
def test_every_annotation_of_the_interface_can_be_checked(function) -> None:
    assert hasattr(function, "__wrapped__")
    assert typing.get_type_hints(function.__wrapped__)


@pytest.mark.parametrize("value", ABSURD, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    "name",
    [
        "to", "scheme", "calibration", "rounding", "ranges", "keep_float", "device", "target",
        "streaming", "decode", "front_end", "verify", "require_verify", "against_keras", "progress",
    ],
)  # fmt: skip
def test_an_absurd_argument_of_an_export_is_named(name, value, tmp_path) -> None:
    with pytest.raises(WrongOption, match=rf"^{name} is .*Give "):
        edgernn.load(SMALL).export(tmp_path / "out", **{name: value})
    assert not (tmp_path / "out").exists()


def test_the_sentence_says_what_may_be_given(tmp_path) -> None:
    with pytest.raises(WrongOption, match=r"^to is 3, of the type int\. Give a text, a list, each"):
        edgernn.load(SMALL).export(tmp_path, to=3)  # type: ignore[arg-type]
    with pytest.raises(WrongOption, match=r"seeds is 'many', .* Give a whole number"):
        edgernn.compare("digits", out=tmp_path, seeds="many")  # type: ignore[arg-type]
    with pytest.raises(WrongOption, match=r"p95_ms is 'fast'"):
        edgernn.search("digits", out=tmp_path, p95_ms="fast")  # type: ignore[arg-type]


def test_what_python_and_numpy_write_for_the_same_is_taken() -> None:
    def count_and_more(
        count: int, share: float, flag: bool, names: typing.Sequence[str], path: str | Path
    ) -> list[object]:
        return [count, share, flag, names, path]

    taken: Any = checked_arguments(count_and_more)
    assert taken(np.int64(3), np.float32(1), np.bool_(True), ("a", np.str_("b")), Path("x"))
    assert taken(3, 1, flag=False, names=np.array(["a"]), path="x")
    with pytest.raises(WrongOption, match="count is True"):
        taken(True, 1.0, True, [], "x")
    with pytest.raises(WrongOption, match="names is"):
        taken(1, 1.0, True, [1], "x")
    with pytest.raises(TypeError, match="missing a required argument"):
        taken(1)


def test_an_option_of_a_format_that_is_not_written_is_refused(tmp_path) -> None:
    with pytest.raises(WrongOption, match=r"onnx_gru.* changes nothing in native"):
        edgernn.load(SMALL).export(tmp_path / "out", to="native", onnx_gru="scan")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("command", "given"),
    [
        *(("search", {name: 0}) for name in ("workers", "epochs")),
        *(("search", {"time_limit_s": value}) for value in (-1.0, float("nan"))),
        ("search", {"trials": -1}),
        *(("compare", {name: 0}) for name in ("workers", "epochs", "units", "seeds")),
        ("compare", {"time_limit_s": -1.0}),
        ("search", {"models": []}),
    ],
    ids=str,
)
def test_a_number_that_nothing_can_be_done_with_is_refused(command, given, tmp_path) -> None:
    out = tmp_path / "out"
    wanted = {"accuracy": 0.9} if command == "search" else {}
    with pytest.raises(WrongOption, match=next(iter(given))):
        getattr(edgernn, command)("digits", out=out, **wanted, **given)
    assert not out.exists()
