"""`edgernn check-aar`: whether the native libraries of an AAR load on Android."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="check-aar")
@click.argument("aar", type=click.Path(path_type=Path), metavar="FILE.aar")
def command(aar: Path) -> int:
    """Check the native libraries of any FILE.aar: do they load on Android?

    Each library for 64 bits must be aligned to pages of 16 KB, which Google Play asks for. What
    must be read-only after loading (RELRO) must end within its segment, other libraries must be
    in the AAR or in Android, and something must define each symbol.

    The exit code is 8 where a library has a problem.
    """
    from edgernn.errors import VerificationError
    from edgernn.kits.check_aar import check_aar

    libraries = check_aar(aar)
    for one in libraries:
        click.echo(
            f"{one.abi}/{one.name}  {one.size_bytes:,} bytes, pages of {one.page_bytes:,}, "
            f"needs {', '.join(one.needs) or 'nothing'}: "
            f"{'; '.join(one.problems) or 'no problem'}"
        )
    if not libraries:
        click.echo("no native library")
    bad = [one for one in libraries if one.problems]
    if bad:
        raise VerificationError(
            f"{len(bad)} of {len(libraries)} libraries of {aar} have problems",
            remedy="Link with -Wl,-z,max-page-size=16384 and without common-page-size, and add the "
            "libraries that are missing",
        )
    return 0
