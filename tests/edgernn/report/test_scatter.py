"""Scores against costs: who is beaten, and axes of round figures within what a score can be."""

from __future__ import annotations

import re

import pytest

from edgernn.report.scatter import Point, pareto_front, scatter_plot


def point(name, cost, score):
    return Point(name=name, cost=cost, score=score, low=score - 30, high=min(score + 30, 100))


POINTS = [point("small", 4.0, 90), point("large", 9.0, 95), point("beaten", 9.5, 94)]


@pytest.mark.parametrize(
    ("higher_is_better", "front"), [(True, {"small", "large"}), (False, {"small"})]
)
def test_a_point_that_costs_more_and_scores_no_better_is_beaten(higher_is_better, front):
    assert pareto_front(POINTS, higher_is_better=higher_is_better) == front


def test_axes_have_round_figures_and_end_where_scores_end():
    plot = scatter_plot(
        POINTS, title="t", cost="KB", score="%", higher_is_better=True, least=0, most=100
    )
    ticks = [float(text) for text in re.findall(r'class="tick">([-\d.]+)<', plot)]
    assert ticks == [0, 5, 10, 60, 70, 80, 90, 100]
    assert plot.count("beaten") >= 3
