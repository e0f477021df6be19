"""``perfline warm-up``: compile all kernels into the cache, at installation rather than at the first scan."""

import time

import click

__all__ = ["command"]


@click.command("warm-up")
def command() -> None:
    """Compile all kernels into the cache, so that no scan has to wait for it."""
    from perfline.recon.warm_up import warm_up

    start = time.perf_counter()
    warm_up()
    click.echo(f"kernels ready in {time.perf_counter() - start:.1f} s")
