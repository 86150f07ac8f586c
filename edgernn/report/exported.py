"""What an export says: a row for each artefact, then where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from edgernn.artefact import Artefact, Refusal, Verification, VerificationStatus
from edgernn.report.aligned import aligned, wrapped
from edgernn.units import percent

#: Details of a layer begin so; the other details are of the whole file.
_LAYER: Final = "layer "
_SMALLEST_SHOWN: Final = 0.00005


def exported_table(artefacts: Sequence[Artefact]) -> str:
    """Plain text, aligned, a line for each artefact; sentences about single files come below.

    "of float32" is the size beside that of the weights in float32.
    """
    rows = [("file", "bytes", "of float32", "checked", "same answer")]
    notes = []
    for artefact in artefacts:
        checked = artefact.verification
        rows.append(
            (
                artefact.name,
                f"{artefact.bytes:,}",
                percent(artefact.bytes / (4 * artefact.source.parameters), digits=0),
                _error_text(checked),
                "" if checked.agreement is None else percent(checked.agreement),
            )
        )
        said = [
            *_decoders(artefact),
            *_integers(checked),
            *_of_rounded_weights(checked),
            *_choices(artefact.details),
        ]
        notes += [f"{artefact.name}: {note}." for note in said]
    return "\n".join([*aligned(rows), *wrapped(_origins(artefacts)), *wrapped(notes)])


def _origins(artefacts: Sequence[Artefact]) -> Iterator[str]:
    """What the inputs of the checks were, each origin once."""
    found: dict[str, list[str]] = {}
    for artefact in artefacts:
        found.setdefault(artefact.verification.checked_on, []).append(artefact.name)
    for origin, names in found.items():
        if origin:
            yield f"Checked on {origin}{'' if len(found) == 1 else ': ' + ', '.join(names)}."


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
    if verification.status is not VerificationStatus.PASSED:
        return f"{verification.status.value}: {verification.reason}"
    said = [_error_text(verification)]
    if verification.agreement is not None:
        said.append(f"same answer in {percent(verification.agreement)}")
    said += [*_integers(verification), *_of_rounded_weights(verification)]
    if verification.checked_on:
        said.append(f"checked on {verification.checked_on}")
    return ", ".join(said)


def _error_text(verification: Verification) -> str:
    """How far off in how many cases; a reason why it was not checked is in the last line."""
    if verification.status is not VerificationStatus.PASSED:
        return "not checked"
    cases = "1 case" if verification.cases == 1 else f"{verification.cases} cases"
    if verification.mean_error is not None:
        below = verification.mean_error < _SMALLEST_SHOWN
        share = f"<{percent(0.0001, digits=2)}" if below else percent(verification.mean_error, 2)
        return f"mean error {share} of the spread in {cases}"
    largest = verification.original_error
    return f"max error {verification.max_error if largest is None else largest:.0e} in {cases}"


def _decoders(artefact: Artefact) -> Iterator[str]:
    if artefact.decoder is not None:
        yield f"its decoder is {artefact.decoder.file}; bytes and check are those of both"


def _integers(verification: Verification) -> Iterator[str]:
    if verification.integers:
        yield f"integers as specified{' bit for bit' if verification.integers == 'bits' else ''}"


def _of_rounded_weights(verification: Verification) -> Iterator[str]:
    if verification.mean_error is None and verification.original_error is not None:
        yield f"max error {verification.max_error:.0e} against the model with the rounded weights"


def keras_text(verification: Verification) -> str:
    """What the comparison with Keras itself showed."""
    return (
        f"Keras itself gives the same as what was read: max error {verification.max_error:.0e} of "
        f"the scale in {verification.cases} calls."
    )
