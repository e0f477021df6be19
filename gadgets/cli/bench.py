"""``perfline bench``: measure speed and accuracy."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from perfline.gadgets.cli.options import EXIT_CODES

__all__ = ["BENCHMARKS", "command"]

BENCHMARKS = {
    "accuracy": "blood flow of simulated scans against the truth, ghost of a real scan, regridding",
    "stream": "the whole chain behind a socket: readouts/s, latency, share of each stage",
    "cold-start": "from the start of a process to a server that is ready, to the first image of a Gadgetron node",
    "soak": "2,000 volumes a round through one connection: does the process of the scan grow?",
    "cuts": "scans cut at random points (--rounds of them): what is left behind, what the spools hold",
    "nufft": "the planned NUFFT against finufft, ducc0 and scipy.sparse, where installed",
    "running-update": "mean, variance, blood flow, precision and quality after a pair of 64 x 64 x 24 voxels",
    "kinetics": "the fit over several delays: recovery, error bars, speed against scipy's curve_fit",
    "spiral": "spiral scans: from the last readout to the image, iterative SENSE of a volume",
    "fuzz": "spoilt messages, headers, chains and scans: each ends in an answer or an error, memory stays flat",
    "epi": "the planned EPI reconstruction against numpy and scipy; the transform of a stack",
}


def _names_and_subjects() -> str:
    return "\n\n\b\nNAME is one of\n" + "\n".join(f"  {name:14s} {subject}" for name, subject in BENCHMARKS.items())


@click.command(
    "bench",
    help="Run the benchmark NAME and print its figures; where a figure has an aim, say whether it is met."
    + _names_and_subjects(),
)
@click.argument("name", type=click.Choice(list(BENCHMARKS)))
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each figure, one a line.")
@click.option("--strict", is_flag=True, help="Exit code 4 if an aim is missed.")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Repetitions of timed parts.")
@click.option("--small", "is_small", is_flag=True, help="At toy size: tries the benchmark, measures nothing.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("../shared/data"),
    show_default=True,
    help="Folder of real scanner data; cases that need it are skipped where it is absent.",
)
def command(name: str, as_json: bool, strict: bool, rounds: int, is_small: bool, data: Path) -> None:
    """Run a benchmark."""
    from perfline.gadgets.bench.figures import Figure, figures_as_table

    figures = []
    for result in _benchmark(name)(rounds=rounds, is_small=is_small, data=data, report=_report):
        if not isinstance(result, Figure):
            _report(f"skipped {result.case}: {result.reason}")
            continue
        figures.append(result)
        if as_json:
            click.echo(result.as_json())
    if not as_json:
        click.echo(figures_as_table(figures))
    if strict and any(figure.met is False for figure in figures):
        raise click.exceptions.Exit(EXIT_CODES["missed"])


def _benchmark(name: str) -> Callable[..., Iterator[Any]]:
    module = importlib.import_module(f"perfline.gadgets.bench.{name.replace('-', '_')}")
    measure: Callable[..., Iterator[Any]] = module.measure
    return measure


def _report(text: str) -> None:
    # beside the figures, so that these can go into a file
    click.echo(f"bench: {text}", err=True)
