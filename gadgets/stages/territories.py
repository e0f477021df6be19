"""Blood flow of all arteries to a map of their territories, after each block of a vessel-encoded scan."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import CbfVolume, Notice, PerfusionAverage, ScanHeader, TerritoryMap
from perfline.recon.asl.encoding import make_encoding
from perfline.recon.asl.vessel_encoding import vessel_territories

__all__ = ["Territories"]

_LEAST_BLOCKS = 2
"""The noise of a cycle is the scatter of the decoded images from block to block."""


class Territories:
    """Assign voxels of the head to arteries by the average of each; everything travels on.

    The map follows the blood flow of the last artery, whose mask it has: outside it, artery and probabilities are 0.

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
        self._flows: dict[int, CbfVolume] = {}
        self._latest: TerritoryMap | None = None
        self._is_exactness_said = False

    def process(self, item: object) -> Iterator[object]:
        """Take averages and blood flow; yield them, and the map once all arteries have as many blocks."""
        yield item
        if isinstance(item, PerfusionAverage) and item.artery is not None:
            self._averages[item.artery] = item
        elif isinstance(item, CbfVolume) and item.artery is not None:
            self._flows[item.artery] = item
            yield from self._map_if_ready(item)

    def finish(self) -> Iterator[object]:
        """Say so where nothing is known of the territories."""
        if not self._averages:
            return
        n_blocks = max(average.n_pairs for average in self._averages.values())
        if n_blocks < _LEAST_BLOCKS:
            yield Notice("warning", "no territories of arteries: one block doesn't tell its noise, two are needed")
        elif self._latest is None:
            yield Notice("warning", "no territories of arteries: the blood flow of all of them is not known")
        elif not self._latest.artery.any():
            yield Notice("warning", "the territories are empty: no voxel is fed by one artery more than by the others")

    def _map_if_ready(self, flow: CbfVolume) -> Iterator[object]:
        numbers = range(1, self._encoding.n_components + 1)
        # a verdict on pairs can change an average and leave its number
        state = (flow.n_pairs, flow.source)
        averages = [a for n in numbers if (a := self._averages.get(n)) is not None and (a.n_pairs, a.source) == state]
        flows = [f for n in numbers if (f := self._flows.get(n)) is not None and (f.n_pairs, f.source) == state]
        if not len(averages) == len(flows) == len(numbers) or flow.n_pairs < _LEAST_BLOCKS:
            return
        # each decoded variance is that of one cycle times its element of the covariance: their mean knows it best
        factors = np.diag(self._encoding.covariance)
        of_cycle = np.mean([a.variance / factor for a, factor in zip(averages, factors, strict=True)], axis=0)
        if not self._is_exactness_said and flow.mask.any() and not of_cycle[flow.mask].any():
            self._is_exactness_said = True
            yield Notice(
                "info", "all blocks are exactly alike: each voxel is given to its strongest artery for certain"
            )
        self._latest = self._map(averages, of_cycle / flow.n_pairs, flow)
        yield self._latest

    def _map(self, averages: list[PerfusionAverage], variance: NDArray[np.floating], flow: CbfVolume) -> TerritoryMap:
        found = vessel_territories(self._encoding, np.stack([average.mean for average in averages]), variance)
        artery = np.where(flow.mask, found.artery, np.int16(0))
        probability = np.where(flow.mask, found.probability, np.float32(0))
        return TerritoryMap(artery, probability, flow.n_pairs, flow.geometry, flow.source)
