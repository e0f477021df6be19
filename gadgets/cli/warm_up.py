"""``perfline warm-up``: compile kernels into the cache, at installation rather than at the first scan."""

import time

import click

__all__ = ["command"]


@click.command("warm-up")
@click.option("--all", "with_nufft", is_flag=True, help="Also those of spirals, which take a minute the first time.")
def command(with_nufft: bool) -> None:
    """Compile the kernels of an EPI scan into the cache, so that no scan has to wait for it."""
    from perfline.recon.warm_up import warm_up

    start = time.perf_counter()
    warm_up()
    if with_nufft:
        from perfline.recon.nufft.warm_up import warm_up as warm_up_nufft

        warm_up_nufft()
    click.echo(f"kernels ready in {time.perf_counter() - start:.1f} s")
