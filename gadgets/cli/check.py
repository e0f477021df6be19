"""``perfline check``: what a file or a chain holds, where each value comes from, and what is missing."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfline.gadgets.cli.options import RegionFiles, scan_options, select_chain, sidecar_options
from perfline.gadgets.errors import ConfigurationError
from perfline.recon.errors import PerflineError

if TYPE_CHECKING:
    from perfline.gadgets.chain import Chain
    from perfline.gadgets.scan import ScanOptions
    from perfline.gadgets.stage_data import ScanHeader, SpiralParameters

__all__ = ["command"]


@click.command("check")
@click.argument("target", metavar="FILE|CHAIN")
@sidecar_options
def command(
    target: str,
    chain_name: str | None,
    overrides: tuple[str, ...],
    sidecar: Path | None,
    m0_path: Path | None,
    trajectory_path: Path | None,
    field_map_path: Path | None,
    region_files: RegionFiles,
) -> None:
    """Check a raw MRD file, a chain XML, or an installed chain by its name, before a scan.

    Of a chain: imports each gadget and reads every setting. Of a file: resolves every parameter, prints it with its
    origin, and builds the chain for it. Exit code 0 when all is well, 1 when something is missing.
    """
    path = Path(target)
    try:
        if path.is_file() and path.suffix != ".xml":
            options = scan_options(overrides, sidecar, m0_path, trajectory_path, field_map_path, region_files)
            _check_file(path, chain_name or "pcasl_epi", options)
        else:
            _check_chain(select_chain(target))
    except PerflineError as error:
        click.echo(f"MISSING OR WRONG: {error}")
        sys.exit(1)
    click.echo("ok")


def _check_chain(chain: "Chain") -> None:
    click.echo(f"chain {chain.name}")
    for gadget in chain.gadgets:
        _find_gadget(gadget)
        click.echo(f"  gadget perfline.gadgets.{gadget}: found")
    settings = chain.settings()
    click.echo(f"  protocol {settings.protocol}")
    for key, value in vars(settings).items():
        if key != "protocol":
            click.echo(f"    {key} = {dict(value) if key == 'asl' else value}")


def _find_gadget(gadget: str) -> None:
    """Import the entry point of a gadget, as Gadgetron does, and what it imports when it is called.

    Raises
    ------
    ConfigurationError
        One of them can't be imported, or has no such function.
    """
    import importlib

    try:
        module = importlib.import_module(f"perfline.gadgets.{gadget}")
        importlib.import_module("perfline.gadgets.gadget_stages")
    except (ImportError, OSError, RuntimeError) as error:
        raise ConfigurationError(
            f"gadget perfline.gadgets.{gadget} can't be imported: {type(error).__name__}: {error}"
        ) from error
    if not callable(getattr(module, gadget, None)):
        raise ConfigurationError(f"gadget perfline.gadgets.{gadget}: expected a function {gadget} in it, got none")


def _check_file(path: Path, chain_name: str, options: "ScanOptions") -> None:
    from perfline.gadgets.chain import build_stages
    from perfline.gadgets.mrd.scan_header import parse_scan_header
    from perfline.gadgets.mrd.stream_file import open_raw

    chain = select_chain(chain_name)
    settings = chain.settings(options.overrides)
    with open_raw(path) as file:
        click.echo(f"{path}: {file.n_acquisitions} acquisitions")
        header = parse_scan_header(
            file.header_xml(),
            sidecar=options.sidecar,
            protocol=settings.asl,
            aslcontext=options.aslcontext,
            separate_m0=options.side.separate_m0,
        )
    _show_header(header)
    images_alone = "epi_recon" if header.spiral is None else "spiral_recon"
    gadgets = chain.gadgets if header.asl is not None else (images_alone,)
    if header.asl is None:
        click.echo("no arterial spin labelling is declared: only images can be made of it (perfline recon)")
    stages = build_stages(gadgets, header, settings, options.side)
    click.echo(f"chain {chain.name}: {' -> '.join(stage.name for stage in stages)}")


def _show_header(header: "ScanHeader") -> None:
    click.echo(f"  trajectory {header.trajectory}, {header.n_coils or 'unknown'} coils, {header.n_slices} slices")
    axes = {"readout": header.readout_axis, "phase": header.phase_axis, "partition": header.partition_axis}
    for name, axis in axes.items():
        if axis is not None:
            click.echo(
                f"  {name}: {axis.n_encoded} points over {axis.field_of_view_encoded:g} mm encoded,"
                f" {axis.n_recon} pixels over {axis.field_of_view_recon:g} mm reconstructed"
            )
    if header.spiral is not None:
        _show_spiral(header.spiral, header.limits["line"].count)
    for parameter in header.parameters.values():
        unit = f" {parameter.unit}" if parameter.unit else ""
        click.echo(f"  {parameter.name} = {_shown(parameter.value)}{unit}   ({parameter.origin})")
    for warning in header.warnings:
        click.echo(f"  warning: {warning}")


def _show_spiral(spiral: "SpiralParameters", n_interleaves: int) -> None:
    click.echo(f"  {n_interleaves} interleaves; trajectories in the readouts are {spiral.units}")
    if spiral.design is not None:
        click.echo(
            f"  a design is described: HargreavesVDS2000, {spiral.design.n_interleaves} interleaves,"
            f" {1e6 * spiral.design.sampling_time:g} us per sample, to {spiral.design.krmax_per_cm:g} cycles per cm"
        )
    if any(spiral.gradient_delays):
        delays = ", ".join(f"{1e6 * delay:g}" for delay in spiral.gradient_delays)
        click.echo(f"  gradient delays {delays} us (read, phase, slice)")
    if spiral.gradient_response is not None:
        click.echo(f"  gradient response of {len(spiral.gradient_response.kernel)} frequencies")


def _shown(value: object) -> str:
    """Text of a value; of a long list its beginning and its length."""
    if not isinstance(value, tuple):
        return str(value)
    if len(value) == 1:
        return str(value[0])
    shown = ", ".join(str(entry) for entry in value[:6])
    return f"{shown}, ... ({len(value)} values)" if len(value) > 6 else shown
