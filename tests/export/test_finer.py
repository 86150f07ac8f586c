"""The search for layers that a format needs finer: cheap means first, no more than needed."""

from __future__ import annotations

from edgernn.export.fine_layers import ActivationCost, FineLayers, Fineness
from edgernn.export.finer import Ladder
from edgernn.export.request import Request
from edgernn.scheme import Scheme


def cost(layer: str, weights: float, activations: float, chosen: Fineness) -> ActivationCost:
    return ActivationCost(
        layer=layer, kind="Dense", weights=weights, activations=activations, chosen=chosen, left=0.0
    )


FINEST = FineLayers(
    costs=(
        cost("a", 1e-4, 1e-3, Fineness.FLOAT),
        cost("b", 1e-3, 1e-4, Fineness.SIXTEEN),
        cost("c", 1e-5, 1e-2, Fineness.FLOAT),
    ),
    wide=("b",),
    in_float=("a", "c"),
)
#: The study of the export chose c already.
ASKED = Request(scheme=Scheme.INT8, fine={"native": FineLayers(in_float=("c",))})
LADDER = Ladder(
    asked=ASKED, target="native", finest=FINEST, loudest=("a", "b"), costliest=("b", "a", "c")
)


def test_activations_get_finer_before_a_layer_becomes_float() -> None:
    assert list(LADDER.steps()) == [(1, 0), (2, 0), (2, 1), (2, 2)]


def test_a_request_has_what_the_study_chose_and_the_finer_layers() -> None:
    first = LADDER.request(1, ())
    assert first.fine is not None
    assert (first.fine["native"].wide, first.fine["native"].in_float) == ((), ("c", "a"))
    last = LADDER.request(2, ("b",))
    assert last.fine is not None
    assert (last.keep_float, last.fine["native"].wide) == (("b",), ())
    assert last.fine["native"].in_float == ("c", "a")


def test_the_search_takes_the_first_step_that_is_enough() -> None:
    assert LADDER.search(lambda finer, _kept: finer == 2) == (2, ())
    assert LADDER.search(lambda _finer, kept: "b" in kept) == (2, ("b",))


def test_the_search_makes_int8_again_what_was_float_in_vain() -> None:
    assert LADDER.search(lambda _finer, kept: "a" in kept) == (2, ("a",))


def test_the_search_says_when_nothing_helps() -> None:
    assert LADDER.search(lambda _finer, _kept: False) is None


def test_a_sentence_for_each_layer_says_what_was_chosen() -> None:
    assert LADDER.details(2, ("a",)) == {
        "layer b": "computes with 16 bits, to lose no more than allowed",
        "layer a": "is in float32, to lose no more than allowed",
    }
