"""``perfline openrecon``: the label of an OpenRecon package."""

import json
import sys

import click

__all__ = ["command"]

_KIND = click.option(
    "--kind",
    default="raw",
    show_default=True,
    help="raw: the scanner sends raw data; image: it sends its own images.",
)


@click.group("openrecon")
def command() -> None:
    """Make the label of an OpenRecon package: what the operator can choose, and what the container needs.

    The steps from a wheel to a package are in config/openrecon/README.md.
    """


@command.command("label")
@_KIND
@click.option("--check", is_flag=True, help="Check it against the published rules instead of printing it.")
def label(kind: str, check: bool) -> None:
    """Print the value of the image's label: JSON in base64, one line.

    \b
    docker build --label "$(perfline openrecon label-key)=$(perfline openrecon label)" ...
    """
    from perfline.gadgets.openrecon.label import encode_label, make_label
    from perfline.gadgets.openrecon.published import label_problems

    made = make_label(kind)
    encoded = encode_label(made)
    if not check:
        click.echo(encoded)
        return
    problems = label_problems(made)
    for problem in problems:
        click.echo(problem)
    if problems:
        sys.exit(1)
    click.echo(f"ok: {made['general']['id']} {made['general']['version']}, {len(made['parameters'])} parameters")


@command.command("label-key")
def label_key() -> None:
    """Print the name of the image's label."""
    from perfline.gadgets.openrecon.label import LABEL_KEY

    click.echo(LABEL_KEY)


@command.command("json")
@_KIND
def as_json(kind: str) -> None:
    """Print the label as JSON: the application specification of scanners from VA70 on."""
    from perfline.gadgets.openrecon.label import make_label

    click.echo(json.dumps(make_label(kind), indent=2))
