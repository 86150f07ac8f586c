"""What an export says: a row for each artefact, then where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from edgernn.artefact import Artefact, Refusal, Verification, VerificationStatus
from edgernn.report.aligned import aligned

#: Details of a layer begin so; the other details are of the whole file.
_LAYER: Final = "layer "
_SMALLEST_SHOWN: Final = 0.00005


def exported_table(artefacts: Sequence[Artefact]) -> str:
    """Plain text, aligned, a line for each artefact; what was chosen for layers comes below."""
    rows = [("file", "bytes", "of float32 weights", "checked", "how")]
    choices = []
    for artefact in artefacts:
        details = artefact.details.items()
        rows.append(
            (
                artefact.name,
                f"{artefact.bytes:,}",
                f"{artefact.bytes / (4 * artefact.source.parameters):.0%}",
                verification_text(artefact.verification),
                ", ".join(f"{key} {value}" for key, value in details if not key.startswith(_LAYER)),
            )
        )
        choices += [f"{artefact.name}: {choice}." for choice in _choices(artefact.details)]
    return "\n".join([*aligned(rows), *choices])


def outcome_text(artefacts: Sequence[Artefact], refusals: Sequence[Refusal], out: Path) -> str:
    """The last line of an export: where the files are, which passed the check, which did not.

    >>> outcome_text(made.artefacts, made.refusals, made.folder)
    'Written to out/ with model.json. Passed the check: gru.onnx, gru.ernn. FAILED: gru.tflite.'
    """
    sentences = []
    if artefacts:
        sentences.append(f"Written to {out}/ with model.json.")
    passed = [one for one in artefacts if one.verification.status is VerificationStatus.PASSED]
    unchecked: dict[str, list[str]] = {}
    for one in artefacts:
        if one.verification.status is not VerificationStatus.PASSED:
            unchecked.setdefault(one.verification.reason, []).append(one.name)
    failed = [one.file for one in refusals if one.failed]
    if passed:
        sentences.append(f"Passed the check: {', '.join(one.name for one in passed)}.")
    for reason, names in unchecked.items():
        sentences.append(f"NOT CHECKED: {', '.join(names)} ({reason.rstrip('.')}).")
    if failed:
        sentences.append(f"FAILED, not written: {', '.join(failed)}.")
    return " ".join(sentences)


def _choices(details: Mapping[str, str]) -> Iterator[str]:
    """What was chosen for which layers, each choice once."""
    layers: dict[str, list[str]] = {}
    for key, value in details.items():
        if key.startswith(_LAYER):
            layers.setdefault(value, []).append(key.removeprefix(_LAYER))
    for choice, names in layers.items():
        yield f"{'layer' if len(names) == 1 else 'layers'} {', '.join(names)} {choice}"


def verification_text(verification: Verification) -> str:
    """'max error 2e-07 in 8 cases', or why there is none.  Errors are against the float32 model."""
    inputs = f"{verification.cases} {verification.checked_on or 'cases'}"
    if verification.status is VerificationStatus.PASSED and verification.mean_error is not None:
        below = verification.mean_error < _SMALLEST_SHOWN
        text = f"mean error {'<0.01%' if below else f'{verification.mean_error:.2%}'} of the spread"
        if verification.agreement is not None:
            text += f", same answer in {verification.agreement:.1%}"
            text += f" of {inputs}"
        else:
            text += f" in {inputs}"
        if verification.integers:
            text += ", integers as specified"
        return text + (" bit for bit" if verification.integers == "bits" else "")
    if verification.original_error is not None:
        return (
            f"max error {verification.original_error:.0e} in {inputs} "
            f"({verification.max_error:.0e} of what its rounded weights mean)"
        )
    if verification.status is VerificationStatus.PASSED:
        return f"max error {verification.max_error:.0e} in {inputs}"
    return f"{verification.status.value}: {verification.reason}"


def keras_text(verification: Verification) -> str:
    """What the comparison with Keras itself showed."""
    return (
        f"Keras itself gives the same as what was read: max error {verification.max_error:.0e} of "
        f"the scale in {verification.cases} calls."
    )
