"""The smallest file that loses no more than allowed; of equal sizes the fastest."""

from __future__ import annotations

from dataclasses import replace

from edgernn.profile.scheme_choice import SchemeCandidate, choice_sentences, with_choice

#: A format's candidates: bytes, cost in points, milliseconds.
FIGURES = {
    "float32": (1000, 0.0, 1.0),
    "float16": (520, 0.0, 1.2),
    "dynamic": (310, 0.4, 1.1),
    "int8": (300, 0.6, 0.6),
}


def candidates(**changed: tuple[int, float, float]) -> list[SchemeCandidate]:
    return [
        SchemeCandidate(
            file=f"m.{scheme}.tflite",
            format="tflite",
            scheme=scheme,
            bytes=size,
            cost=cost,
            p50_ms={"cpu": time},
        )
        for scheme, (size, cost, time) in (FIGURES | changed).items()
    ]


def kept(given: list[SchemeCandidate], max_drop: float = 1.0) -> list[str]:
    return [one.scheme for one in with_choice(given, max_drop=max_drop) if one.chosen]


def test_the_smallest_file_is_kept() -> None:
    assert kept(candidates()) == ["int8"]


def test_one_that_costs_too_much_is_not() -> None:
    assert kept(candidates(), max_drop=0.5) == ["dynamic"]
    assert kept(candidates(), max_drop=0.0) == ["float16"]


def test_of_almost_equal_sizes_the_fastest_is_kept() -> None:
    assert kept(candidates(int8=(300, 0.6, 1.5))) == ["dynamic"]


def test_the_slowest_device_counts() -> None:
    several = candidates()
    several[3] = replace(several[3], p50_ms={"cpu": 0.6, "kitchen": 9.0})
    several[2] = replace(several[2], p50_ms={"cpu": 1.1, "kitchen": 8.0})
    assert kept(several) == ["dynamic"]


def test_without_times_the_smallest_is_kept() -> None:
    assert kept([replace(one, p50_ms={}) for one in candidates()]) == ["int8"]


def test_files_with_a_problem_are_out_of_the_question() -> None:
    several = candidates()
    several[3] = replace(several[3], cost=None, problem="failed its check")
    assert kept(several) == ["dynamic"]
    broken = [replace(one, cost=None, problem="kitchen: skipped") for one in several]
    assert kept(broken) == []


def test_a_tiny_model_is_better_in_more_bits_and_the_reason_is_said() -> None:
    tiny = candidates(
        float32=(900, 0.0, 0.5), float16=(800, 0.0, 0.9), dynamic=(950, 0.0, 0.8), int8=(1200, 2, 1)
    )
    marked = with_choice(tiny, max_drop=1)
    assert [one.scheme for one in marked if one.chosen] == ["float16"]
    better, faster = choice_sentences(marked)
    assert better == (
        "float16 is the better file for tflite: dynamic is 19% larger, int8 costs more than 1."
    )
    assert faster.startswith("m.float32.tflite is 1.8 times as fast as m.float16.tflite, at 100")


def test_each_format_has_a_choice_of_its_own() -> None:
    other = [replace(one, format="native", file=f"m.{one.scheme}.ernn") for one in candidates()]
    marked = with_choice([*candidates(int8=(300, 3.0, 1)), *other], max_drop=1)
    assert [one.file for one in marked if one.chosen] == ["m.dynamic.tflite", "m.int8.ernn"]
