"""Running averages of all arteries to a map of their territories, after each block of a vessel-encoded scan."""

from collections.abc import Iterator

import numpy as np

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import PerfusionAverage, ScanHeader, TerritoryMap
from perfline.recon.asl.encoding import make_encoding
from perfline.recon.asl.vessel_encoding import vessel_territories

__all__ = ["Territories"]


class Territories:
    """Assign voxels to arteries by the average of each; everything travels on.

    The noise of a cycle is that of the decoded images from block to block, so that two blocks are needed.

    Parameters
    ----------
    header : ScanHeader
        With ``asl.encoding_matrix``.
    """

    name = "territories"

    def __init__(self, header: ScanHeader) -> None:
        if header.asl is None or not header.asl.encoding_matrix:
            raise ScanHeaderError("territories: the scan declares no EncodingMatrix")
        self._encoding = make_encoding(header.asl.encoding_matrix)
        self._averages: dict[int, PerfusionAverage] = {}

    def process(self, item: object) -> Iterator[object]:
        """Take an average; yield it, and the map once all arteries have as many blocks."""
        yield item
        if not isinstance(item, PerfusionAverage) or item.artery is None:
            return
        self._averages[item.artery] = item
        arteries = [self._averages.get(number + 1) for number in range(self._encoding.n_components)]
        # a verdict on pairs can change an average and leave its number
        known = [a for a in arteries if a is not None and (a.n_pairs, a.source) == (item.n_pairs, item.source)]
        if len(known) == len(arteries) and item.n_pairs > 1:
            yield self._map(known)

    def finish(self) -> Iterator[object]:
        """Nothing is left."""
        yield from ()

    def _map(self, averages: list[PerfusionAverage]) -> TerritoryMap:
        last = averages[-1]
        # each decoded variance is that of one cycle times its element of the covariance: their mean knows it best
        factors = np.diag(self._encoding.covariance)
        of_cycle = np.mean([a.variance / factor for a, factor in zip(averages, factors, strict=True)], axis=0)
        found = vessel_territories(
            self._encoding, np.stack([average.mean for average in averages]), of_cycle / last.n_pairs
        )
        return TerritoryMap(found.artery, found.probability, last.n_pairs, last.geometry, last.source)
