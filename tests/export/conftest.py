"""The order of tests of the zoo: Keras is slow, and is asked once for all that compare with it."""

from __future__ import annotations

import pytest

from tests.zoo.case import Case


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one case follow each other, of whatever module; all others stay in their place."""
    places = {at: case for at, item in enumerate(items) if (case := _case_of(item)) is not None}
    first: dict[str, int] = {}
    for at, case in places.items():
        first.setdefault(case.name, at)
    ordered = sorted(places, key=lambda at: first[places[at].name])
    moved = [items[at] for at in ordered]
    for at, item in zip(places, moved, strict=True):
        items[at] = item


def _case_of(item: pytest.Item) -> Case | None:
    """What the test has as its parameter `case`, or in its parameter `variant`."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    case = getattr(parameters.get("variant"), "case", parameters.get("case"))
    return case if isinstance(case, Case) else None
