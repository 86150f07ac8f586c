"""`edgernn worker`: trains for searches of other machines."""

from __future__ import annotations

import click

from edgernn.cli.parameters import Duration


@click.command()
@click.option(
    "--storage", metavar="URL", required=True, help="postgresql://host/db, as for `search`."
)
@click.option(
    "--idle", "idle_s", type=Duration(), help="End after so long without an order: 10min."
)
def command(storage: str, idle_s: float | None) -> None:
    """Take trainings of `edgernn search --storage` from a database, until Ctrl-C.

    \b
    edgernn worker --storage postgresql://host/db
    edgernn worker --storage postgresql://host/db --idle 10min

    Start as many as there are processors, on any number of machines with the same edgernn.  Each
    takes up to 1.5 GB.  What a worker was training when it died is given to another.
    """
    from edgernn.front.progress import progress_line
    from edgernn.selection.cluster_worker import serve

    with progress_line("waiting for orders") as phase:
        done = serve(storage, notify=phase, idle_s=idle_s)
    click.echo(f"{done} orders are done")
