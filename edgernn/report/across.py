"""The same artefact on several devices: whether its answers are the same, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edgernn.profile.answers import compared_answers
from edgernn.profile.report import Report
from edgernn.units import listed

#: More that agree are only counted.
MOST_NAMED: Final = 2


def sentences_across(report: Report) -> Iterator[str]:
    """What differs, artefact by artefact; what does not, in one sentence for each device."""
    answers = compared_answers(report)
    for one in answers:
        if one.differing:
            yield (
                f"{one.file} answers {one.differing} of {one.rows:,} rows differently on "
                f"{one.device} than on {one.first_device}."
            )
    for devices in dict.fromkeys((one.device, one.first_device) for one in answers):
        both = [one for one in answers if (one.device, one.first_device) == devices]
        same = [one for one in both if not one.differing]
        if same:
            everything = len(same) == len(both) > MOST_NAMED
            names = f"All {len(same)} artefacts" if everything else listed([s.file for s in same])
            verb = "answers" if len(same) == 1 else "answer"
            yield f"{names} {verb} all {same[0].rows:,} rows on {devices[0]} as on {devices[1]}."
