"""What an export says: a row for each artefact, then where they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgernn.artefact import Artefact, Verification, VerificationStatus
from edgernn.report.aligned import aligned


def exported_table(artefacts: Sequence[Artefact], out: Path) -> str:
    """Plain text, aligned, a line for each artefact."""
    rows = [("file", "bytes", "of float32 weights", "checked", "how")]
    for artefact in artefacts:
        details = ", ".join(f"{key} {value}" for key, value in artefact.details.items())
        rows.append(
            (
                artefact.name,
                f"{artefact.bytes:,}",
                f"{artefact.bytes / (4 * artefact.source.parameters):.0%}",
                verification_text(artefact.verification),
                details,
            )
        )
    return "\n".join([*aligned(rows), f"Written to {out}/ with model.json."])


def verification_text(verification: Verification) -> str:
    """'max error 2e-07 in 8 cases', or why there is none."""
    if verification.status is VerificationStatus.PASSED and verification.mean_error is not None:
        text = f"mean error {verification.mean_error:.2%}"
        if verification.agreement is not None:
            text += f", same answer in {verification.agreement:.1%}"
        text += f" of {verification.cases} cases"
        if verification.integers:
            text += ", integers as specified"
        return text + (" bit for bit" if verification.integers == "bits" else "")
    if verification.status is VerificationStatus.PASSED:
        return f"max error {verification.max_error:.0e} in {verification.cases} cases"
    return f"{verification.status.value}: {verification.reason}"
