"""Perfusion-weighted images to their running mean, variance and temporal SNR, for each delay by itself."""

from collections.abc import Iterator

from perfline.gadgets.stage_data import DeltaMVolume, Dropped, Notice, PerfusionAverage
from perfline.recon.asl.running_statistics import RunningStatistics

__all__ = ["Average"]


class Average:
    """After every pair: the mean of all pairs so far and its spread.

    Pairs of different post-labelling delay, labelling duration or artery are averaged apart. Everything travels on, a
    difference image before the average that it is in.
    """

    name = "average"

    def __init__(self) -> None:
        self._statistics: dict[tuple[float, float, int | None], RunningStatistics] = {}
        self._n_rejected = 0

    def process(self, item: object) -> Iterator[object]:
        """Yield every item; after a difference image the new average."""
        if isinstance(item, Dropped) and item.what == "pair":
            self._n_rejected += 1
        yield item
        if not isinstance(item, DeltaMVolume):
            return
        group = (item.post_labeling_delay, item.labeling_duration, item.artery)
        if group not in self._statistics:
            self._statistics[group] = RunningStatistics(item.image.shape)
        statistics = self._statistics[group]
        statistics.add(item.image)
        mean, variance, tsnr = statistics.maps()
        yield PerfusionAverage(
            mean=mean,
            variance=variance,
            tsnr=tsnr,
            n_pairs=statistics.n,
            n_rejected=self._n_rejected,
            geometry=item.geometry,
            post_labeling_delay=item.post_labeling_delay,
            labeling_duration=item.labeling_duration,
            source=item.source,
            artery=item.artery,
        )

    def finish(self) -> Iterator[object]:
        """Say so where no pair came; every average has been yielded."""
        if not self._statistics:
            yield Notice("error", "no complete control-label pair came: there is no perfusion image")
