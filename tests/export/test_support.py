"""The table of what is supported says what the program does."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgernn import reference
from edgernn.export.cases import make_cases
from edgernn.export.feature import Feature
from edgernn.export.features import features
from edgernn.export.support import answers, markdown
from edgernn.export.verify import relative_error
from edgernn.streaming import expose_states
from tests.formats import RUN
from tests.zoo.runtimes import open_session

DOCUMENT = Path(__file__).parents[2] / "docs" / "support.md"


def test_the_committed_table_is_current():
    assert DOCUMENT.read_text(encoding="utf-8") == markdown(), (
        "run: python -m edgernn.export.support > docs/support.md"
    )


@pytest.mark.parametrize(
    "feature", list(features()), ids=lambda feature: f"{feature.layer}-{feature.option}"
)
def test_what_is_accepted_computes_what_the_reference_does(feature: Feature):
    graph = expose_states(feature.graph)
    accepting = {answer.column for answer in answers(feature) if not answer.reason}
    sessions = {name: open_session(name, graph) for name in accepting.intersection(RUN)}
    for case in make_cases(graph):
        expected = reference.run(graph, case.inputs)
        for target, session in sessions.items():
            actual = session(case.inputs)
            for name, wanted in expected.items():
                assert relative_error(actual[name], wanted) < 1e-6, (target, case.name)
