"""``perfline serve``: the MRD server."""

import logging
import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from perfline.gadgets.cli.options import RegionFiles, scan_options, select_chain, sidecar_options
from perfline.gadgets.cli.output_options import output_options, shown, view_options

if TYPE_CHECKING:
    from perfline.gadgets.outputs import OutputOptions
    from perfline.gadgets.server.metrics_http import MetricsServer
    from perfline.gadgets.server.pool import ScanEnd, WorkerPool
    from perfline.gadgets.server.process_server import ProcessServer
    from perfline.gadgets.writers.sink import Sink

__all__ = ["command"]

_SECONDS = click.FloatRange(min=0)


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Interface to listen on.")
@click.option("--port", default=9002, show_default=True, help="0: any free port.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder; each scan gets scan_0001, ...")
@click.option(
    "--spool",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder; every byte received is kept as it comes, in scan_0001.mrdstream, ...",
)
@click.option(
    "--log",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder; what happens in each scan, as JSON lines without names, in scan_0001.jsonl, ...",
)
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    help="Port on loopback for /metrics (Prometheus) and /healthz; 0: any free one (extra 'metrics').",
)
@click.option(
    "--node",
    metavar="GADGET",
    help="Be an external node that Gadgetron reaches with <connect/>: this gadget (such as realtime_perfusion), warm.",
)
@click.option("--scans", type=int, help="Stop after so many scans.")
@click.option(
    "--max-scans", type=click.IntRange(min=1), default=2, show_default=True, help="Scans at once; more are refused."
)
@click.option("--idle-timeout", type=_SECONDS, default=120, show_default=True, help="Longest silence of a client [s].")
@click.option(
    "--header-timeout", type=_SECONDS, default=60, show_default=True, help="From connection to MRD header [s]."
)
@click.option("--total-timeout", type=_SECONDS, default=14400, show_default=True, help="Longest scan [s].")
@click.option(
    "--send-timeout", type=_SECONDS, default=60, show_default=True, help="Longest time a client takes no image [s]."
)
@click.option(
    "--send-buffer",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Images that may wait for a client that reads slowly [MiB].",
)
@click.option(
    "--grace",
    type=_SECONDS,
    default=30,
    show_default=True,
    help="Time for running scans to end at SIGTERM, Ctrl-C [s].",
)
@click.option("--verbose", is_flag=True, help="Log each event.")
@output_options(montage=False)
@view_options
@sidecar_options
def command(
    host: str,
    port: int,
    out: Path | None,
    outputs: "Callable[[], OutputOptions]",
    view: bool,
    view_port: int,
    spool: Path | None,
    log: Path | None,
    metrics_port: int | None,
    node: str | None,
    scans: int | None,
    max_scans: int,
    idle_timeout: float,
    header_timeout: float,
    total_timeout: float,
    send_timeout: float,
    send_buffer: int,
    grace: float,
    verbose: bool,
    chain_name: str | None,
    overrides: tuple[str, ...],
    sidecar: Path | None,
    m0_path: Path | None,
    trajectory_path: Path | None,
    field_map_path: Path | None,
    region_files: RegionFiles,
) -> None:
    """Accept scans from MRD clients (FIRE, OpenRecon, gadgetron_ismrmrd_client, 'perfline replay --to').

    A client names an installed chain, or sends a chain of allowed gadgets; --chain is for one that sends neither.
    Whoever can connect can start a scan: the server listens on loopback unless --host says otherwise.

    Each scan has a process of its own: one that fails disturbs no other. A client that comes while --max-scans run is
    told so (text ERR) and its connection is closed; a scan whose files alone are still being written doesn't count. A
    time-out of 0 is none. A client that reads slowly doesn't hold up its own data until --send-buffer is full; what it
    doesn't take in time is still saved under --out. A scan that can't be saved, in part or at all, is reconstructed all
    the same: its client is told (text WRN).

    --spool keeps the bytes of the stream, not HDF5, so that a crash at any time, also of the server, loses nothing that
    had arrived; 'perfline replay' and 'perfline recon' read such files, cut off or not. They are readable by their
    owner only, and hold what the scanner sent: the header may name the subject. --log and --metrics-port tell nothing
    of subject, study, or place.
    """
    from perfline.gadgets.server.pool import WorkerPool

    log_level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if node is not None and chain_name is not None:
        raise click.UsageError("--chain, --node: expected one of them: Gadgetron's own chain has the node in it")
    pool = WorkerPool(max_scans)
    # it gets ready while this process imports
    pool.warm()
    with ExitStack() as stack:
        stack.callback(pool.stop, 0)
        from perfline.gadgets.chain import GADGETS
        from perfline.gadgets.mrd.time_limits import TimeLimits
        from perfline.gadgets.server.claimed_names import FolderSinks, JoinedSinks
        from perfline.gadgets.server.log_sinks import LogSinks
        from perfline.gadgets.server.process_server import ProcessServer
        from perfline.gadgets.server.scan_work import ScanWork
        from perfline.gadgets.viewer.view_sink import ViewSinks

        if node is not None and node not in GADGETS:
            raise click.BadParameter(f"expected one of {', '.join(GADGETS)}, got {node!r}", param_hint="--node")
        chosen = outputs()
        viewer = stack.enter_context(shown(view, view_port))
        makers: list[Callable[[int], Sequence[Sink]]] = []
        if viewer is not None:
            makers.append(ViewSinks(viewer.address))
        if out is not None:
            in_folders = FolderSinks(out, chosen)
            # now, and not when a scan has come
            in_folders.check()
            makers.append(in_folders)
        if log is not None:
            # behind the folder, whose summary lists what is in it
            makers.append(LogSinks(log))
        work = ScanWork(
            default_chain=select_chain(chain_name) if chain_name else None,
            options=scan_options(overrides, sidecar, m0_path, trajectory_path, field_map_path, region_files),
            times=TimeLimits(
                idle=idle_timeout or None,
                header=header_timeout or None,
                total=total_timeout or None,
                send=send_timeout or None,
            ),
            send_buffer=send_buffer << 20,
            spool=spool,
            has_progress=metrics_port is not None,
            node=node or "",
            make_sinks=JoinedSinks(tuple(makers)),
        )
        pool.set_work(work, log_level)
        server = ProcessServer(pool, host=host, port=port, on_end=_report, grace=grace, is_node=node is not None)
        monitor = None if metrics_port is None else _monitored(server, pool, metrics_port)

        def stop(number: int, frame: FrameType | None) -> None:
            server.stop()

        server.bind()
        # from here on, scans may run
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        click.echo(f"listening on {server.address[0]}:{server.address[1]}")
        if monitor is not None:
            click.echo(f"metrics on {monitor.url}")
        server.serve(scans)


def _monitored(server: "ProcessServer", pool: "WorkerPool", port: int) -> "MetricsServer":
    """Make the server keep metrics, and answer for them."""
    from perfline.gadgets.server.metrics import ServerMetrics
    from perfline.gadgets.server.metrics_http import MetricsServer

    server.metrics = ServerMetrics(lambda: server.health, lambda: pool.processes)
    return MetricsServer(server.metrics, lambda: server.health, port)


def _report(end: "ScanEnd") -> None:
    from perfline.gadgets.writers.summary_text import format_summary

    if end.summary is None:
        click.echo(f"Scan {end.number}: {end.death}")
        return
    click.echo(format_summary(end.summary.as_dict(), with_parameters=False))
