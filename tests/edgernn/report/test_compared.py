"""The card and the page of a comparison, from made-up scores."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from edgernn.devices.fake import FakeModel
from edgernn.report.compared import comparison_json, comparison_markdown
from edgernn.report.compared_html import comparison_html, picture_files
from edgernn.report.compared_pictures import pictures
from edgernn.selection.contender import Equal
from tests.edgernn.report.comparisons import comparison
from tests.edgernn.report.reports import item, measured


@pytest.fixture(scope="module")
def made():
    return comparison()


@pytest.fixture(scope="module")
def card(made):
    return comparison_markdown(made)


def test_the_card_starts_with_the_recommendation(card):
    assert card.splitlines()[0] == "# gru or lstm or gru-lstm on made-up?"
    assert card.splitlines()[2].startswith(
        "**Use gru-lstm-32**: its accuracy is 1.9 points better than that of gru-32"
    )


@pytest.mark.parametrize(
    "answer",
    [
        "### Resources: what does it cost to run?\n\n| contender | size, native int8 |",
        "| lstm-32 | 27.0 KB |",
        "| steps | test rows | gru-32 | lstm-32 | difference, points |",
        "| gru-lstm-32 | its control gru-gru-32 | +",
        "| 250 | 80.6 % | 80.4 % |",
        "| gru-32 | 3.00 s | 8.0 | 600.0 MB |",
    ],
)
def test_the_card_answers_five_questions(card, answer):
    assert answer in card.partition("## Five questions")[2]


def test_sayings_stand_beside_what_was_measured(card):
    sayings = card.partition("## What people say")[2]
    assert "| GRU 26 % smaller | 26 % | native int8 |" in sayings
    assert "| GRU 25 % fewer epochs | 20 % [20, 20] | to the best epoch |" in sayings
    assert "LSTM 0.6 points more accurate" in sayings


def test_controls_are_marked_and_not_in_the_title(card):
    assert "| gru-gru-32 (control) |" in card
    assert "gru-gru-32 is not decided" not in card


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        (
            {"gru": 1.0, "lstm": 1.0, "gru-gru": 0.997},
            "**Equal for your purpose; use gru-32**: the differences of gru-32 and lstm-32 are",
        ),
        (
            {"gru": 0.95, "lstm": 0.5, "gru-gru": 0.95},
            "**Use gru-32**: every other contender that was asked for is worse",
        ),
    ],
)
def test_a_control_that_is_not_decided_leaves_nothing_open(shares, said):
    made = comparison(shares, controls=("gru-gru",))
    decided = {one.contender.architecture: one.verdict for one in made.groups[0].standings}
    assert decided["gru-gru"].outcome.value == "cannot tell"
    assert comparison_markdown(made).splitlines()[2].startswith(said)


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_training_of_each_is_shown_and_decides_nothing(seeds):
    made = comparison({"gru": 0.99, "lstm": 0.5}, controls=(), seeds=seeds)
    said = comparison_markdown(made)
    if seeds == 1:
        assert "one training says nothing about the luck of the seed; 2 are needed" in said
        assert said.count("cannot tell") == 3  # both files, and the linear model
        assert "1 training of each contender" in said
    else:
        assert "**Use gru-32**" in said
    assert "nan" not in comparison_html(made) + comparison_json(made)


def test_names_of_contenders_are_explained(made):
    said = comparison_markdown(made)
    assert "gru-32: gru with 32 units in each layer." in said
    assert "gru-gru: the second layer takes" in said
    assert "the mean of two models" not in said
    whole = comparison({"gru": 0.9, "lstm": 0.9, "gru+lstm": 0.9}, controls=())
    assert "the mean of two models, which were trained apart" in comparison_markdown(whole)


def test_a_device_that_was_not_measured_is_named_with_the_reason(made):
    lost = replace(made, unmeasured={"kitchen": "kitchen does not answer. Is it on?"})
    assert "On kitchen nothing was measured: kitchen does not" in comparison_markdown(lost)


def test_a_linear_model_that_is_better_means_neither():
    said = comparison_markdown(comparison({"gru": 0.8, "lstm": 0.8}, linear=0.95))
    assert said.splitlines()[2].startswith("**Use neither**: the linear model")


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_a_model_without_recurrence_has_no_fewer_seeds_than_what_it_is_beside(seeds):
    (beside,) = comparison({"gru": 0.8, "lstm": 0.8}, linear=0.8, seeds=seeds).baselines
    assert beside.verdict.effect.seeds == seeds
    more = beside.verdict.more
    assert more is None or not more.seeds or more.seeds > seeds


def test_what_nothing_decides_says_so_without_silly_numbers():
    made = comparison({"gru": 0.8, "lstm": 0.8}, seeds=2)
    said = comparison_markdown(made)
    assert "**Cannot tell from these measurements**: lstm-32 is not decided" in said
    assert "cannot be settled by more seeds" in said
    assert "Until then gru-32 has the smallest file." in said.splitlines()[2]


STEADY, DISTURBED = [[0.5, 0.5], [0.5, 0.5]], [[0.6, 0.6], [1.8, 1.8]]


def card_of_times(folder, times):
    """Of the int8 files of gru-32 and lstm-32."""
    names = ("gru-32", "lstm-32")
    models = {f"{name}.onnx": FakeModel(hot_ms=one) for name, one in zip(names, times, strict=True)}
    items = tuple(
        replace(item(name, "onnx", 20_000), backend="native", scheme="int8") for name in names
    )
    report = measured(folder, models=models, items=items, samples=None)
    return comparison_markdown(comparison({"gru": 0.9, "lstm": 0.9}, measured=report))


def test_times_that_were_disturbed_are_marked_wherever_they_stand(tmp_path):
    said = card_of_times(tmp_path, (STEADY, DISTURBED))
    table = {line.split(" | ")[0]: line for line in said.splitlines() if "native int8 |" in line}
    assert "0.500 ms |" in table["| gru-32"]
    assert "0.600 ms (unstable) |" in table["| lstm-32"]
    resources = said.partition("### Resources")[2].partition("###")[0]
    assert "| lstm-32 | 27.0 KB | 0.600 ms (unstable) |" in resources
    assert "unstable time of a call" in said
    assert "`edgernn profile` of the folder files/" in said


def test_where_all_times_of_a_device_were_disturbed_its_column_is_marked(tmp_path):
    said = card_of_times(tmp_path, (DISTURBED, DISTURBED))
    assert "| p50 on desk (unstable) |" in said
    assert "| a call on desk (unstable) |" in said
    assert "ms (unstable)" not in said
    assert "`edgernn profile` of the folder files/" in said


def test_files_that_are_not_of_equal_bytes_are_named():
    made = comparison({"gru": 0.9, "lstm": 0.9})
    for size, said in ((27_000, "35 % more bytes"), (18_000, "10 % fewer bytes")):
        standings = tuple(
            replace(one, bytes=size) if one.contender.architecture == "lstm" else one
            for one in made.groups[0].standings
        )
        group = replace(made.groups[0], equal=Equal.BYTES, standings=standings)
        card = comparison_markdown(replace(made, groups=(group,)))
        assert f"lstm-32 has {said}: no other width comes nearer." in card


def test_epochs_of_a_fixed_schedule_are_named():
    made = comparison({"gru": 0.9, "lstm": 0.9})
    trainings = {
        one: tuple(replace(run, curve=run.curve[:8]) for run in runs)
        for one, runs in made.trainings.items()
    }
    card = comparison_markdown(replace(made, trainings=trainings))
    assert "| to the best epoch, of 8 in each training |" in card


def test_the_page_shows_pictures_with_recommendation_first_and_needs_no_network(made):
    page = comparison_html(made)
    assert page.index('class="said"') < page.index("<svg") < page.index("<table")
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert page.count("<svg") == 4
    assert 'class="band"' in page


def test_pictures_are_files_of_their_own(made):
    files = picture_files(made)
    assert set(files) == {
        "score-bytes.svg",
        "differences.svg",
        "seeds.svg",
        "learning-curves.svg",
    }
    for content in files.values():
        root = ET.fromstring(content)
        assert root.find("{http://www.w3.org/2000/svg}style") is not None
    curves = files["learning-curves.svg"]
    assert curves.count("<polyline") == 5 * 5
    difference = made.groups[0].standings[-1].verdict.effect.estimate
    assert f">{100 * difference:+.2f}</text>" in files["differences.svg"]


def test_an_ensemble_has_no_curve_and_no_place_in_their_legend():
    made = comparison({"gru": 0.9, "lstm": 0.9, "gru+lstm": 0.9}, controls=())
    ensemble = next(one for one in made.trainings if one.architecture == "gru+lstm")
    runs = tuple(replace(run, curve=()) for run in made.trainings[ensemble])
    made = replace(made, trainings={**made.trainings, ensemble: runs})
    curves = picture_files(made)["learning-curves.svg"]
    assert "gru-32" in curves
    assert "gru+lstm" not in curves


def test_the_json_holds_what_the_card_says(made):
    entry = json.loads(comparison_json(made))
    assert entry["advice"]["contender"] == "gru-lstm-32"
    assert next(one["claim"] for one in entry["told"]) == "GRU 26 % smaller"
    assert len(entry["lengths"]) == 3
    assert {one["share"] for one in entry["amounts"]} == {0.25, 0.5, 1.0}


@pytest.mark.parametrize(("seeds", "with_lines"), [(2, False), (3, True)])
def test_two_seeds_have_no_interval_that_would_hide_all_others(seeds, with_lines):
    made = comparison({"gru": 0.9, "lstm": 0.9}, seeds=seeds)
    first = next(pictures(made))
    assert ("3 seeds or more" in first.caption) is not with_lines
    heights = [
        (float(one.get("y1", "nan")), float(one.get("y2", "nan")))
        for one in ET.fromstring(first.svg).iter("{http://www.w3.org/2000/svg}line")
        if one.get("x1") == one.get("x2")
    ]
    assert len(heights) == 2
    assert all((low != high) is with_lines for low, high in heights)
