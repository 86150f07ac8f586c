"""What a reader of the JSON would otherwise have to work out: rows, sentences, cautions."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from edgernn.profile.judgement import cautions
from edgernn.profile.report import Report
from edgernn.profile.rows import rows_of
from edgernn.report.sentences import sentences


def derived(report: Report) -> dict[str, Any]:
    """Goes into the report's JSON beside the measurements, and is not read back."""
    return {
        "summary": [asdict(row) for row in rows_of(report)],
        "sentences": list(sentences(report)),
        "cautions": [
            {
                "device": cell.device,
                "file": cell.item.file,
                "caution": caution.caution.name.lower(),
                "sentence": caution.sentence,
                "remedy": caution.remedy,
            }
            for cell in report.cells
            for caution in cautions(cell, report)
        ],
    }
