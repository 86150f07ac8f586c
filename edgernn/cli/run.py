"""`edgernn run`: sound, text or samples of sensors in, labels out, as an app does it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edgernn.recipe import SoundRecipe
    from edgernn.runtime import Model
    from edgernn.runtime.listening import Deciding, Heard, Listener

_PIECE_S = 0.1


@click.command()
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL.ernn")
@click.option("--wav", type=click.Path(path_type=Path), metavar="FILE", help="A recording.")
@click.option(
    "--microphone",
    is_flag=True,
    help="16-bit samples of one channel from standard input, as they come.",
)
@click.option(
    "--text",
    "texts",
    multiple=True,
    metavar="TEXT",
    help="A text, for a model that takes text; - reads a text a line from standard input.",
)
@click.option(
    "--csv",
    "table",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Samples of sensors, a line each, for a model that takes them.",
)
@click.option(
    "--rate",
    "rate_hz",
    type=click.IntRange(1),
    metavar="HERTZ",
    help="Samples a second of --microphone; the model's where it is left out.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 100),
    default=80.0,
    show_default=True,
    metavar="PERCENT",
    help="A label needs a mean score of so much.",
)
@click.option(
    "--smooth",
    type=click.IntRange(1, 1000),
    default=3,
    show_default=True,
    help="How many scores the mean is of; there are ten a second.",
)
@click.option(
    "--pause",
    "pause_s",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Until the same label can come again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
def command(
    model: Path,
    wav: Path | None,
    microphone: bool,
    texts: tuple[str, ...],
    table: Path | None,
    rate_hz: int | None,
    threshold: float,
    smooth: int,
    pause_s: float,
    as_json: bool,
) -> None:
    """Print the labels that MODEL.ernn hears, with their times and scores, as they come, or the
    label of each text.

    \b
    edgernn run out/words.int8.ernn --wav a.wav
    arecord -t raw -f S16_LE -r 16000 | edgernn run out/words.int8.ernn --microphone
    edgernn run out/reviews.int8.ernn --text "A good film"
    edgernn run out/exercises.int8.ernn --csv watch.csv

    The model carries the recipe of its features. Sound of a higher rate is resampled to the
    model's; the channels of a recording are averaged. After a recording, the last line is the
    answer at its end.
    """
    from edgernn.runtime import Model
    from edgernn.runtime.listening import Deciding, Listener, listen

    if (wav is not None) + microphone + bool(texts) + (table is not None) != 1:
        raise click.UsageError("Give one of --wav FILE, --microphone, --text TEXT and --csv FILE")
    if wav is not None and rate_hz is not None:
        raise click.UsageError("--rate goes with --microphone: a recording says its rate")
    if (texts or table) and rate_hz is not None:
        raise click.UsageError("--rate goes with --microphone")
    opened = Model(model)
    if texts:
        _classify(opened, texts, as_json=as_json)
        return
    deciding = Deciding(threshold=threshold / 100, smooth=smooth, pause_s=pause_s)
    if table is not None:
        _sense(opened, table, deciding, as_json=as_json)
        return
    recipe = opened.audio().recipe
    if wav is not None:
        rate_hz, pieces = _recording(wav, recipe)
    else:
        rate_hz = rate_hz or recipe.rate_hz
        pieces = _standard_input(rate_hz)
    listener = Listener(model=opened, rate_hz=rate_hz, deciding=deciding)
    for heard in listen(listener, pieces):
        _show(heard, as_json=as_json)
    if wav is not None:
        _show(listener.whole(), as_json=as_json, at_end=True)
    else:
        _require_sound(listener)


def _sense(model: Model, table: Path, deciding: Deciding, *, as_json: bool) -> None:
    """The labels of a table of samples, and the last window's."""
    from edgernn.runtime.sensing import SensorListener
    from edgernn.tasks.sensor_table import read_samples

    listener = SensorListener(model, deciding)
    for heard in listener.feed(read_samples(table, listener.recipe)):
        _show(heard, as_json=as_json)
    _show(listener.whole(), as_json=as_json, at_end=True)


def _classify(model: Model, texts: tuple[str, ...], *, as_json: bool) -> None:
    """A line for each text: its label, the score, the text."""
    from edgernn.printable import shown
    from edgernn.runtime.classifying import classified

    model.tokenize("")  # before standard input is read: the model may take no text
    for text in (line for given in texts for line in _lines(given)):
        answer = classified(model, text)
        if as_json:
            click.echo(json.dumps({"text": text, **asdict(answer)}, ensure_ascii=False))
        else:
            click.echo(f"{shown(answer.label)}  {100 * answer.score:.0f} %  {shown(text)}")
        sys.stdout.flush()


def _lines(given: str) -> Iterator[str]:
    """The text, or those of standard input.  Raises DataError for lines that are not UTF-8."""
    if given != "-":
        yield given
        return
    for number, line in enumerate(sys.stdin.buffer, 1):
        yield _decoded(line.rstrip(b"\r\n"), number)


def _decoded(line: bytes, number: int) -> str:
    from edgernn.errors import DataError

    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"line {number} of standard input is not UTF-8 ({error})",
            remedy="Convert it: iconv -f LATIN1 -t UTF-8",
        ) from error


def _recording(path: Path, recipe: SoundRecipe) -> tuple[int, Iterator[Any]]:
    """(samples a second, pieces of the samples, with what the recipe has behind the last)"""
    from edgernn.runtime.audio import followed
    from edgernn.tasks.recordings import read_waveform

    waveform, rate_hz = read_waveform(path)
    waveform = followed(waveform, recipe, rate_hz=rate_hz)
    size = max(1, int(rate_hz * _PIECE_S))
    return rate_hz, (waveform[at : at + size] for at in range(0, len(waveform), size))


def _standard_input(rate_hz: int) -> Iterator[Any]:
    """Samples as another program records them; half a sample waits for its other half."""
    import numpy as np

    from edgernn.errors import DataError

    if sys.stdin.isatty():
        raise DataError(
            "--microphone reads 16-bit samples from standard input, which is a terminal",
            remedy=f"Record with another program: arecord -t raw -f S16_LE -r {rate_hz} | "
            "edgernn run MODEL --microphone",
        )
    rest, size = b"", max(2, 2 * int(rate_hz * _PIECE_S))
    # What has come, not all of the size: a label is not to wait for samples that come later.
    read = getattr(sys.stdin.buffer, "read1", sys.stdin.buffer.read)
    while piece := read(size):
        content = rest + piece
        whole = len(content) // 2 * 2
        rest = content[whole:]
        yield np.frombuffer(content[:whole], "<i2")


def _require_sound(listener: Listener) -> None:
    """Raises DataError where standard input ended before there was anything to hear."""
    from edgernn.errors import DataError

    try:
        listener.require_rows()
    except DataError as error:
        raise DataError(
            f"standard input ended too early: {error.what}",
            remedy="Look at what the program that records says; it must write raw 16-bit samples",
        ) from error


def _show(heard: Heard, *, as_json: bool, at_end: bool = False) -> None:
    from edgernn.printable import shown

    if as_json:
        click.echo(json.dumps({**asdict(heard), "at_end": at_end}))
    else:
        mark = "  at the end" if at_end else ""
        click.echo(f"{heard.seconds:8.2f} s  {shown(heard.label)}  {100 * heard.score:.0f} %{mark}")
    sys.stdout.flush()
