"""``perfline view``: the page of the live view for a scan that has ended."""

from pathlib import Path

import click

__all__ = ["command"]


@click.command("view")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Of the page; 0: any free.")
def command(folder: Path, port: int) -> None:
    """Show the scan in the folder DIR, which --out of 'replay' or 'serve' has left, as a web page on this machine.

    Maps, time courses, parameters with their origin, warnings: the page of the live view, as it was at the end of the
    scan. Only this machine can open it; nothing is fetched from the internet. Ctrl-C ends it. Needs the extra 'view'.
    """
    from perfline.gadgets.viewer.finished_scan import finished_scan, show_finished_scan
    from perfline.gadgets.viewer.viewer_process import ViewerProcess

    messages = finished_scan(folder)
    with ViewerProcess(port) as viewer:
        show_finished_scan(viewer.address, messages)
        click.echo(f"view: {viewer.url} (Ctrl-C ends it)")
        viewer.wait()
