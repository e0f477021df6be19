"""``perfline report``: a report for people from the folder of a scan."""

from pathlib import Path

import click

__all__ = ["command"]


@click.command("report")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--identity", default="", metavar="TEXT", help="Whose scan it is; printed in the heading as it stands.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier report.")
def command(folder: Path, identity: str, overwrite: bool) -> None:
    """Write report.html and report.pdf into DIR, which 'perfline replay FILE --out DIR' has left.

    Maps, histogram, time courses, quality, what was left out, parameters with their origin, and the text for a methods
    section; the same in both files (extra 'report'). Nobody's name is in it unless --identity gives one.

    \b
    perfline replay scan.h5 --out out
    perfline report out
    """
    from perfline.gadgets.report.write import write_report

    for path in write_report(folder, identity=identity, overwrite=overwrite):
        click.echo(str(path))
