"""The ``perfline`` command: one module per subcommand, imported only when it is called."""

import importlib
import sys
from importlib.metadata import version

import click

from perfline.gadgets.cli.options import EXIT_CODES
from perfline.gadgets.thread_policy import wait_passively
from perfline.recon.errors import PerflineError

__all__ = ["main"]

COMMANDS = {
    "replay": "Play a raw MRD file through the chain, or to a server.",
    "recon": "Reconstruct the images of any EPI or spiral file, ASL or not.",
    "quantify": "Blood flow of a NIfTI series, by the stages of a live scan.",
    "regions": "Blood flow of regions: means, asymmetry, distance from a norm.",
    "compare": "Two maps of blood flow over regions: regression, limits of agreement.",
    "report": "HTML and PDF for people, from the folder that a scan has left.",
    "view": "A web page of a scan that has ended; --view of replay and serve shows one that runs.",
    "serve": "Run the MRD server that scanners and clients connect to.",
    "check": "Say what a file or a chain holds and what is missing.",
    "simulate": "Write raw MRD files with known truth.",
    "openrecon": "Make the label of an OpenRecon package.",
    "bench": "Measure speed and accuracy.",
    "warm-up": "Compile the kernels into the cache.",
    "sys-info": "Versions, processor, kernels: for a bug report or a benchmark.",
    "completion": "Complete commands and options at the Tab key of a shell.",
}

_EXIT_CODES_TEXT = """Exit codes: 0 success; 1 the scan failed, or files could not be written; 2 wrong usage or input;
3 the data ended too early (what came is kept); 4 a benchmark aim was missed (bench --strict)."""


class _LazyGroup(click.Group):
    """Finds subcommands by name, so that ``--help`` needn't import numba."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"perfline.gadgets.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_LazyGroup, epilog=_EXIT_CODES_TEXT, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("perfline"), prog_name="perfline")
def cli() -> None:
    """Perfusion, inline: raw ASL k-space to perfusion and CBF images while the scan runs."""


def main() -> None:
    """Run the command; our own errors become one line on stderr and exit code 2."""
    wait_passively()
    try:
        cli.main(standalone_mode=True)
    except PerflineError as error:
        click.echo(f"perfline: {error}", err=True)
        sys.exit(EXIT_CODES["usage"])


if __name__ == "__main__":
    main()
