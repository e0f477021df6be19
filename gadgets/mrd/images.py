"""Items to MRD images: one 2D image for each slice.

=======  ==================================================  =========================
series   content                                             data
=======  ==================================================  =========================
1        control, label or unlabelled volume                 magnitude, or complex
2        perfusion-weighted: running mean of the pairs       float32
3        cerebral blood flow                                 float32, quantitative
4        arterial transit time of a fit over delays          float32, quantitative [s]
5        standard error of the blood flow                    float32, quantitative
6        M0: its single volumes, and their corrected mean    magnitude, complex, float32
7        perfusion-weighted: a single pair                   float32
8        standard error of the arterial transit time         float32, quantitative [s]
9        territories: number of the artery, from 1           uint16
10       arterial blood volume, where it is fitted           float32, quantitative
11       standard error of the arterial blood volume         float32, quantitative
=======  ==================================================  =========================

Counters of the header: an image of a volume has the volume's; of a pair or of an average, ``repetition`` is its number.
``image_index`` counts the images of a series from 1. Values that are not finite become 0: nothing else is changed, and
nothing is scaled, unless `scale_to_uint16` is asked for.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum
from math import isnan

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.mrd.convert import ticks_from_seconds
from perfline.gadgets.mrd.image_meta import (
    common_meta,
    parameters_as_json,
    precision_meta,
    quantitative_meta,
    window_meta,
)
from perfline.gadgets.mrd.item_json import ITEM_KEY, item_as_json
from perfline.gadgets.mrd.layout import ImageType
from perfline.gadgets.mrd.messages import Image, ImageHeader
from perfline.gadgets.mrd.meta import MetaValue, decode_meta, encode_meta
from perfline.gadgets.stage_data import (
    CbfVolume,
    DeltaMVolume,
    M0Volume,
    PerfusionAverage,
    ScanHeader,
    SliceGeometry,
    TerritoryMap,
    Volume,
    VolumeKey,
)
from perfline.gadgets.stages.delays import blocks_of
from perfline.gadgets.writers.display_windows import FLOW_ERROR_WINDOWS, FLOW_WINDOWS
from perfline.recon.checks import check_positive
from perfline.recon.errors import InputError
from perfline.recon.parameters import VolumeType

__all__ = ["ImageMaker", "Series", "scale_to_uint16"]

_UINT16_MAX = 65535


class Series(IntEnum):
    """``image_series_index`` of what is sent."""

    MAGNITUDE = 1
    PERFUSION_WEIGHTED = 2
    CBF = 3
    TRANSIT_TIME = 4
    CBF_STANDARD_ERROR = 5
    M0 = 6
    PERFUSION_PAIR = 7
    TRANSIT_TIME_STANDARD_ERROR = 8
    TERRITORIES = 9
    BLOOD_VOLUME = 10
    BLOOD_VOLUME_STANDARD_ERROR = 11


class ImageMaker:
    """Makes images of items, and counts them.

    Parameters
    ----------
    header : ScanHeader
    is_complex : bool
        True: volumes go out as complex images, for the next node of a split chain; False: as magnitude.
    """

    def __init__(self, header: ScanHeader, *, is_complex: bool = False) -> None:
        self._header = header
        self._is_complex = is_complex
        self._n_sent: dict[int, int] = {}
        self._parameters = parameters_as_json(header.parameters)

    def images_of(self, item: object, time_stamp: float = 0.0) -> list[Image]:
        """Make the images of an item.

        Parameters
        ----------
        item : object
            Volume, DeltaMVolume, M0Volume, PerfusionAverage, CbfVolume or TerritoryMap; anything else has no images.
        time_stamp : float
            For derived items, which have none of their own [s].

        Returns
        -------
        list of Image
            Slices in the order of the slice counter; of a CbfVolume first the blood flow, then its standard error, then
            the transit time and its error where there is a fit, then the blood volume and its error where that is
            fitted.
        """
        match item:
            case Volume():
                return self._of_volume(item)
            case M0Volume():
                return self._of_m0(item, time_stamp)
            case DeltaMVolume():
                return self._of_pair(item, time_stamp)
            case PerfusionAverage():
                return self._of_average(item, time_stamp)
            case CbfVolume():
                return self._of_cbf(item, time_stamp) + self._of_fit(item, time_stamp)
            case TerritoryMap():
                return self._of_territories(item, time_stamp)
        return []

    def _of_volume(self, volume: Volume) -> list[Image]:
        label = volume.label
        # without a label the volume is told by its trajectory
        unlabelled = self._header.trajectory.upper()
        kind = label.volume_type.value if label else unlabelled
        has_ghost = not isnan(volume.ghost_level)
        is_m0 = label.volume_type is VolumeType.M0SCAN if label else volume.key.is_m0
        meta = common_meta(
            self._header,
            volume.geometry,
            name="M0" if is_m0 else "ASL" if label else unlabelled,
            comment=f"{kind}, {volume.key}" + (f", ghost {volume.ghost_level:.3g}" if has_ghost else ""),
            image_type=("DERIVED" if self._is_complex else "ORIGINAL", "PRIMARY", "ASL" if label else "M", "NONE"),
            history="magnitude",
            post_labeling_delay=label.post_labeling_delay if label else None,
        )
        if has_ghost:
            meta["PERFLINE_GhostLevel"] = volume.ghost_level
        meta["PERFLINE_VolumeType"] = kind
        meta[ITEM_KEY] = item_as_json(volume)
        pixels: NDArray[np.generic] = volume.image if self._is_complex else np.abs(volume.image)
        if not self._is_complex:
            meta.update(_window_of(pixels))
        series = Series.M0 if is_m0 else Series.MAGNITUDE
        return self._images(series, pixels, volume.geometry, volume.key, meta, volume.time_stamp)

    def _of_m0(self, m0: M0Volume, time_stamp: float) -> list[Image]:
        meta = common_meta(
            self._header,
            m0.geometry,
            name="M0_mean",
            comment=f"M0, mean of {m0.n_volumes}, correction {m0.correction:.4g}",
            image_type=("DERIVED", "PRIMARY", "M0", "NONE"),
            history="magnitude",
        )
        meta.update(_window_of(m0.image))
        meta["DataRole"] = ("Image", "Quantitative")
        meta[ITEM_KEY] = item_as_json(m0)
        key = VolumeKey(0, is_m0=True)
        return self._images(Series.M0, m0.image, m0.geometry, key, meta, time_stamp)

    def _of_pair(self, pair: DeltaMVolume, time_stamp: float) -> list[Image]:
        meta = common_meta(
            self._header,
            pair.geometry,
            name="PW_pair",
            comment=f"control - label, pair {pair.index}",
            image_type=("DERIVED", "PRIMARY", "PERFUSION", "SUBTRACTION"),
            history="pair",
            post_labeling_delay=pair.post_labeling_delay,
        )
        meta["DataRole"] = ("Image", "Quantitative")
        meta[ITEM_KEY] = item_as_json(pair)
        return self._images(Series.PERFUSION_PAIR, pair.image, pair.geometry, VolumeKey(pair.index), meta, time_stamp)

    def _of_average(self, average: PerfusionAverage, time_stamp: float) -> list[Image]:
        meta = common_meta(
            self._header,
            average.geometry,
            name="PW",
            comment=f"control - label, mean of {self._counted(average)}, {average.n_rejected} rejected",
            image_type=("DERIVED", "PRIMARY", "PERFUSION", "MEAN"),
            history="perfusion",
            post_labeling_delay=average.post_labeling_delay,
        )
        meta["PERFLINE_NumberOfPairs"] = average.n_pairs
        meta["PERFLINE_RejectedPairs"] = average.n_rejected
        meta.update(_window_of(average.mean))
        key = VolumeKey(max(average.n_pairs - 1, 0))
        return self._images(Series.PERFUSION_WEIGHTED, average.mean, average.geometry, key, meta, time_stamp)

    def _of_cbf(self, flow: CbfVolume, time_stamp: float) -> list[Image]:
        of_artery = "" if flow.artery is None else f", artery {flow.artery}"
        pairs = f"{self._counted(flow)}, {flow.n_rejected} rejected, {flow.unit}{of_artery}"
        is_absolute = flow.unit != "relative"
        asl = self._header.asl
        flow_name = "CBF" if asl is None else asl.flow_name
        key = _key_of(flow)
        images: list[Image] = []
        for series, pixels, name, role, windows in (
            (Series.CBF, flow.cbf, flow_name if is_absolute else f"rel{flow_name}", "PERFUSIONMAP", FLOW_WINDOWS),
            (Series.CBF_STANDARD_ERROR, flow.standard_error, f"{flow_name}_SE", "PERFUSIONMAP_SE", FLOW_ERROR_WINDOWS),
        ):
            meta = common_meta(
                self._header,
                flow.geometry,
                name=name,
                comment=f"{name} of {pairs}",
                image_type=("DERIVED", "PRIMARY", "PERFUSION", name.upper()),
                history="cbf",
                post_labeling_delay=flow.post_labeling_delay if flow.fit is None else None,
            )
            meta |= quantitative_meta(
                role=role,
                unit=flow.unit,
                n_pairs=flow.n_pairs,
                n_rejected=flow.n_rejected,
                parameters=self._parameters,
            )
            meta |= precision_meta(flow.precision, flow.is_target_reached)
            meta |= _window_meta(*windows[flow_name]) if is_absolute else _window_of(pixels)
            images += self._images(series, pixels, flow.geometry, key, meta, time_stamp)
        return images

    def _of_fit(self, flow: CbfVolume, time_stamp: float) -> list[Image]:
        if flow.fit is None:
            return []
        fit, images = flow.fit, list[Image]()
        for series, pixels, name, role, unit in (
            (Series.TRANSIT_TIME, fit.arterial_transit_time, "ATT", "ATTMAP", "s"),
            (Series.TRANSIT_TIME_STANDARD_ERROR, fit.arterial_transit_time_error, "ATT_SE", "ATTMAP_SE", "s"),
            (Series.BLOOD_VOLUME, fit.arterial_blood_volume, "aBV", "ABVMAP", "mL/mL"),
            (Series.BLOOD_VOLUME_STANDARD_ERROR, fit.arterial_blood_volume_error, "aBV_SE", "ABVMAP_SE", "mL/mL"),
        ):
            if pixels is None:
                continue
            meta = common_meta(
                self._header,
                flow.geometry,
                name=name,
                comment=f"{name} of {self._counted(flow)}, {len(fit.post_labeling_delays)} delays, {unit}",
                image_type=("DERIVED", "PRIMARY", "PERFUSION", name.upper()),
                history="cbf",
            )
            meta |= quantitative_meta(
                role=role, unit=unit, n_pairs=flow.n_pairs, n_rejected=flow.n_rejected, parameters=self._parameters
            )
            images += self._images(series, pixels, flow.geometry, _key_of(flow), meta, time_stamp)
        return images

    def _counted(self, made: PerfusionAverage | CbfVolume) -> str:
        """How many pairs, or blocks of an encoded scan, an image was made of."""
        asl, is_average = self._header.asl, isinstance(made, PerfusionAverage)
        n_blocks = None if asl is None else blocks_of(asl, made.n_pairs, of_average=is_average)
        return f"{made.n_pairs} pairs" if n_blocks is None else f"{n_blocks} blocks"

    def _of_territories(self, found: TerritoryMap, time_stamp: float) -> list[Image]:
        meta = common_meta(
            self._header,
            found.geometry,
            name="Territories",
            comment=f"most probable artery of {len(found.probability)}, {found.n_blocks} blocks",
            image_type=("DERIVED", "PRIMARY", "PERFUSION", "TERRITORIES"),
            history="cbf",
        )
        meta["DataRole"] = ("Image", "Quantitative")
        key = VolumeKey(max(found.n_blocks - 1, 0))
        return self._images(Series.TERRITORIES, found.artery.astype(np.uint16), found.geometry, key, meta, time_stamp)

    def _images(
        self,
        series: Series,
        pixels: NDArray[np.generic],
        geometry: SliceGeometry,
        key: VolumeKey,
        meta: dict[str, MetaValue],
        time_stamp: float,
    ) -> list[Image]:
        """One image for each slice; all share their meta, which is written once."""
        if pixels.ndim != 3:
            raise InputError(f"pixels: expected (n_slices, n_y, n_x), got {pixels.shape}")
        clean = np.ascontiguousarray(np.where(np.isfinite(pixels), pixels, pixels.dtype.type(0)))
        n_slices, n_y, n_x = clean.shape
        is_complex = np.iscomplexobj(clean)
        attributes = encode_meta(meta)
        first = ImageHeader(
            field_of_view=(
                geometry.voxel_size[0] * n_x,
                geometry.voxel_size[1] * n_y,
                self._header.slice_thickness,
            ),
            read_dir=_triple(geometry.read_dir),
            phase_dir=_triple(geometry.phase_dir),
            slice_dir=_triple(geometry.slice_dir),
            average=key.average % (_UINT16_MAX + 1),
            contrast=key.contrast % (_UINT16_MAX + 1),
            phase=key.phase % (_UINT16_MAX + 1),
            repetition=key.repetition % (_UINT16_MAX + 1),
            set=key.set % (_UINT16_MAX + 1),
            acquisition_time_stamp=ticks_from_seconds(time_stamp),
            image_type=ImageType.COMPLEX if is_complex else ImageType.MAGNITUDE,
            image_series_index=series,
        )
        return [
            Image(
                replace(
                    first,
                    slice=slice_,
                    position=_triple(geometry.positions[slice_]),
                    image_index=self._next_index(series),
                ),
                attributes,
                clean[slice_][np.newaxis, np.newaxis],
            )
            for slice_ in range(n_slices)
        ]

    def _next_index(self, series: Series) -> int:
        """Count from 1; the field has 16 bits and begins at 1 again after 65535."""
        count = self._n_sent.get(series, 0)
        self._n_sent[series] = count + 1
        return count % _UINT16_MAX + 1


def scale_to_uint16(image: Image, slope: float, intercept: float = 0.0) -> Image:
    """Store an image as whole numbers, as scanners usually want it; the meta says how to get the values back.

    Parameters
    ----------
    image : Image
        With real data.
    slope, intercept : float
        ``value = slope * stored + intercept``: chosen by the caller, the same for all images of a series.

    Returns
    -------
    Image
        uint16; values outside the range are cut off, and their number is in the meta as ``PERFLINE_Clipped``. The
        display window is that of the values.

    Raises
    ------
    InputError
        The slope isn't positive, or the data are complex.
    """
    check_positive("slope", slope)
    if np.iscomplexobj(image.data):
        raise InputError("image data: expected real values, got complex ones")
    stored = np.rint((image.data.astype(np.float64) - intercept) / slope)
    n_clipped = int(np.count_nonzero((stored < 0) | (stored > _UINT16_MAX)))
    meta: dict[str, MetaValue] = dict(decode_meta(image.attributes))
    meta |= {"RescaleSlope": slope, "RescaleIntercept": intercept}
    if n_clipped:
        meta["PERFLINE_Clipped"] = n_clipped
    # an item could not be made again from rounded values
    meta.pop(ITEM_KEY, None)
    return Image(image.header, encode_meta(meta), np.clip(stored, 0, _UINT16_MAX).astype(np.uint16))


def _key_of(flow: CbfVolume) -> VolumeKey:
    """Counters of an image of blood flow: the number of its pair, and its artery."""
    return VolumeKey(max(flow.n_pairs - 1, 0), set=flow.artery or 0)


def _window_of(pixels: NDArray[np.generic]) -> dict[str, MetaValue]:
    finite = pixels[np.isfinite(pixels)]
    low, high = (min(float(finite.min()), 0.0), float(finite.max())) if finite.size else (0.0, 0.0)
    return _window_meta(low, high)


def _window_meta(low: float, high: float) -> dict[str, MetaValue]:
    return window_meta((low + high) / 2, high - low)


def _triple(vector: Sequence[float] | NDArray[np.float64]) -> tuple[float, float, float]:
    return float(vector[0]), float(vector[1]), float(vector[2])
