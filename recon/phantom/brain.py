"""What is where: regions nested in each other, and a brain made of them.

A region is an ellipsoid less the regions directly inside it. Everything about it (M0, T1, T2*, CBF, ATT) is
constant, so that any image of the phantom is a weighted sum of ellipses.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.checks import check_non_negative, check_positive
from perfline.recon.errors import InputError
from perfline.recon.phantom.ellipsoids import Ellipse, Ellipsoid, inside_ellipse, surface_points

__all__ = [
    "BRAIN_ARTERIES",
    "Phantom",
    "PhantomSlice",
    "Region",
    "Tissue",
    "TissueClass",
    "brain_phantom",
    "region_index_map",
]

BRAIN_ARTERIES: Final = ("left carotid", "right carotid", "vertebrobasilar")
"""The arteries of the brain phantoms, in the order of ``Tissue.arteries``."""

_LEFT: Final = (1.0, 0.0, 0.0)
_RIGHT: Final = (0.0, 1.0, 0.0)
_BEHIND: Final = (0.0, 0.0, 1.0)

_SUPPLY: Final = MappingProxyType(
    {
        "scalp": (0.5, 0.5, 0.0),
        "gm_left": _LEFT,
        "gm_right": (0.0, 0.8, 0.2),
        "gm_frontal": (0.7, 0.3, 0.0),
        "gm_occipital": _BEHIND,
        "wm_left_frontal": _LEFT,
        "wm_left_parietal": (0.6, 0.0, 0.4),
        "gm_left_focus": _LEFT,
        "wm_right": _RIGHT,
        "gm_right_deep": (0.0, 0.25, 0.75),
    }
)
"""Shares of the flow that come from each of `BRAIN_ARTERIES`, for regions that have flow."""


class TissueClass(StrEnum):
    """Kind of tissue, for masks."""

    GREY_MATTER = "GM"
    WHITE_MATTER = "WM"
    CSF = "CSF"
    CORTEX = "cortex"
    MEDULLA = "medulla"
    OTHER = "other"


@dataclass(frozen=True)
class Tissue:
    """What a region is made of.

    Parameters
    ----------
    tissue_class : TissueClass
    m0 : float
        Equilibrium magnetisation, arbitrary units.
    t1, t2_star : float
        [s]
    cbf : float
        [ml/100 g/min]
    att : float
        Arterial transit time [s].
    off_resonance : float
        [Hz]
    arteries : tuple of float
        Share of the flow that comes from each artery; they add up to 1. Empty where nothing is said of them.
    abv : float
        Arterial blood volume as a fraction of the tissue.
    arterial_arrival_time : float
        When the label reaches these arteries [s].

    Raises
    ------
    InputError
        A value is negative, a relaxation time is zero, or shares don't add up to 1.
    """

    tissue_class: TissueClass
    m0: float
    t1: float
    t2_star: float
    cbf: float = 0.0
    att: float = 0.0
    off_resonance: float = 0.0
    arteries: tuple[float, ...] = ()
    abv: float = 0.0
    arterial_arrival_time: float = 0.0

    def __post_init__(self) -> None:
        for name in ("m0", "cbf", "att", "abv", "arterial_arrival_time"):
            check_non_negative(name, getattr(self, name))
        for share in self.arteries:
            check_non_negative("arteries", share)
        if self.arteries and abs(sum(self.arteries) - 1) > 1e-9:
            raise InputError(f"arteries: expected shares that add up to 1, got {self.arteries}")
        for name in ("t1", "t2_star"):
            check_positive(name, getattr(self, name), "s")


@dataclass(frozen=True)
class Region:
    """A named ellipsoid of one tissue; `parent` is the region directly around it, None in air."""

    name: str
    shape: Ellipsoid
    tissue: Tissue
    parent: str | None = None


@dataclass(frozen=True)
class PhantomSlice:
    """The regions as one slice cuts them.

    ``ellipses[r]`` is None where the slice misses region r; ``parents[r]`` is the index of the region around r, or -1.
    """

    z: float
    ellipses: tuple[Ellipse | None, ...]
    parents: tuple[int, ...]


@dataclass(frozen=True)
class Phantom:
    """Regions, each listed after its parent.

    ``reference`` is the tissue whose M0 is the measure of noise, and whose flow is told as that of the phantom.

    Raises
    ------
    InputError
        A name occurs twice, a parent is not listed before its child, a region sticks out of its parent, or two
        regions in the same parent overlap.
    """

    regions: tuple[Region, ...]
    reference: TissueClass = TissueClass.GREY_MATTER

    def __post_init__(self) -> None:
        seen: dict[str, Region] = {}
        for region in self.regions:
            if region.name in seen:
                raise InputError(f"regions: {region.name!r} occurs twice")
            if region.parent is not None and region.parent not in seen:
                raise InputError(f"regions: {region.name!r} is in {region.parent!r}, which is not listed before it")
            self._check_place(region, seen)
            seen[region.name] = region

    @staticmethod
    def _check_place(region: Region, earlier: dict[str, Region]) -> None:
        """Check that a region lies inside its parent and outside its siblings."""
        points = surface_points(region.shape)
        if region.parent is not None and not np.all(earlier[region.parent].shape.contains(points)):
            raise InputError(f"regions: {region.name!r} is not wholly inside {region.parent!r}")
        for other in earlier.values():
            if other.parent != region.parent:
                continue
            if np.any(other.shape.contains(points)) or np.any(region.shape.contains(surface_points(other.shape))):
                raise InputError(f"regions: {region.name!r} overlaps {other.name!r}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the regions, in order."""
        return tuple(region.name for region in self.regions)

    @property
    def parents(self) -> tuple[int, ...]:
        """Index of the region directly around each, -1 for air."""
        index = {name: number for number, name in enumerate(self.names)}
        return tuple(-1 if region.parent is None else index[region.parent] for region in self.regions)

    def values(self, name: str) -> NDArray[np.float64]:
        """One property of all tissues, float64 (n_regions,); `name` is a field of `Tissue`."""
        return np.array([getattr(region.tissue, name) for region in self.regions], np.float64)

    @property
    def n_arteries(self) -> int:
        """Arteries whose shares of the flow are told; 0: none."""
        return max(len(region.tissue.arteries) for region in self.regions)

    def artery_shares(self, artery: int) -> NDArray[np.float64]:
        """Share of the flow of all regions that comes from one artery, float64 (n_regions,).

        Raises
        ------
        InputError
            There is no such artery, or a region with flow says nothing of arteries.
        """
        if not 0 <= artery < self.n_arteries:
            raise InputError(f"artery: expected one of the {self.n_arteries} of the phantom, got number {artery}")
        shares = np.zeros(len(self.regions))
        for number, region in enumerate(self.regions):
            if len(region.tissue.arteries) == self.n_arteries:
                shares[number] = region.tissue.arteries[artery]
            elif region.tissue.cbf:
                raise InputError(
                    f"arteries: {region.name!r} has flow, but not the shares of {self.n_arteries} arteries"
                )
        return shares

    def is_class(self, tissue_class: TissueClass) -> NDArray[np.bool_]:
        """Which regions are of a tissue class, bool (n_regions,)."""
        return np.array([region.tissue.tissue_class is tissue_class for region in self.regions])

    def cut(self, z: float) -> PhantomSlice:
        """Cut the phantom with the thin slice at `z` [mm].

        Examples
        --------
        >>> [name for name, cut in zip(brain_phantom().names, brain_phantom().cut(70.0).ellipses) if cut]
        ['scalp', 'skull', 'csf']
        """
        return PhantomSlice(z, tuple(region.shape.cross_section(z) for region in self.regions), self.parents)


def region_index_map(phantom_slice: PhantomSlice, y: ArrayLike, x: ArrayLike) -> NDArray[np.int16]:
    """Tell which region each position lies in.

    Parameters
    ----------
    phantom_slice : PhantomSlice
    y, x : arrays that broadcast against each other
        Positions [mm].

    Returns
    -------
    int16 array of the broadcast shape
        Index of the region, -1 in air.

    Examples
    --------
    >>> phantom = brain_phantom()
    >>> phantom.names[region_index_map(phantom.cut(0.0), 20.0, 36.0)]
    'wm_left_parietal'
    """
    y, x = np.asarray(y, np.float64), np.asarray(x, np.float64)
    index = np.full(np.broadcast_shapes(y.shape, x.shape), -1, np.int16)
    # parents come before their children, so that the innermost region is written last
    for number, ellipse in enumerate(phantom_slice.ellipses):
        if ellipse is not None:
            index[inside_ellipse(ellipse, y, x)] = number
    return index


def brain_phantom() -> Phantom:
    """A head that no flip, rotation or exchange of axes maps onto itself.

    Returns
    -------
    Phantom
        Scalp, skull, CSF, two unlike hemispheres of grey matter with white matter, ventricles, a deep nucleus and a
        small
        hyperperfused region, and a marker outside the head; 136 x 172 mm in the plane. The right hemisphere has less
        flow.

    Notes
    -----
    The flow comes from three arteries (`BRAIN_ARTERIES`), in some regions from two of them. All label has arrived 1.5 s
    after the end of labelling.

    x grows towards the patient's left and y towards the back when readout and phase encoding point that way (LPS).
    Relaxation times are those of 3 T: GM 1.3 s and 50 ms, WM 1.0 s and 50 ms, CSF 4.3 s and 400 ms.

    References
    ----------
    Relaxation: the FSL BASIL defaults (Chappell et al. 2009, IEEE Trans Signal Process 57:223).

    Examples
    --------
    >>> len(brain_phantom().regions)
    15
    """
    gm, wm, csf, other = TissueClass.GREY_MATTER, TissueClass.WHITE_MATTER, TissueClass.CSF, TissueClass.OTHER
    fluid = Tissue(csf, m0=100.0, t1=4.3, t2_star=0.4)
    left_grey = Tissue(gm, m0=84.0, t1=1.3, t2_star=0.05, cbf=60.0, att=1.0)
    right_grey = Tissue(gm, m0=84.0, t1=1.3, t2_star=0.05, cbf=48.0, att=1.4)
    hyperperfused = Tissue(gm, m0=86.0, t1=1.3, t2_star=0.05, cbf=110.0, att=0.8)
    white = Tissue(wm, m0=70.0, t1=1.0, t2_star=0.05, cbf=20.0, att=1.5)
    regions = (
        Region(
            "scalp",
            Ellipsoid(1, 2, 2, 68, 86, 92, 0.03),
            Tissue(other, m0=55.0, t1=0.4, t2_star=0.03, cbf=4.0, att=1.2),
        ),
        Region("skull", Ellipsoid(1, 2, 2, 64, 81, 87, 0.03), Tissue(other, m0=8.0, t1=0.9, t2_star=0.01), "scalp"),
        Region("csf", Ellipsoid(1, 2, 2, 60.5, 76, 82, 0.03), fluid, "skull"),
        Region("gm_left", Ellipsoid(30, 1, 3, 26.5, 60, 66, 0.0), left_grey, "csf"),
        Region("gm_right", Ellipsoid(-28, 3, 1, 26.0, 57, 63, 0.04), right_grey, "csf"),
        Region("gm_frontal", Ellipsoid(0.5, -56, 6, 15, 12.5, 34, 0.0), left_grey, "csf"),
        Region("gm_occipital", Ellipsoid(-1, 62.5, -3, 13, 11, 28, 0.0), right_grey, "csf"),
        Region("wm_left_frontal", Ellipsoid(28, -27, 7, 11, 18, 38, 0.12), white, "gm_left"),
        Region("wm_left_parietal", Ellipsoid(29, 24, 5, 12.5, 22, 40, -0.06), white, "gm_left"),
        Region("gm_left_focus", Ellipsoid(45, -4, 6, 7.5, 8.5, 30, 0.0), hyperperfused, "gm_left"),
        Region("wm_right", Ellipsoid(-27, 4, 2, 12, 42, 44, 0.04), white, "gm_right"),
        Region("ventricle_left", Ellipsoid(27, 20, 2, 5, 10, 22, -0.2), fluid, "wm_left_parietal"),
        Region("ventricle_right", Ellipsoid(-27, 14, 0, 5.5, 14, 24, 0.15), fluid, "wm_right"),
        Region("gm_right_deep", Ellipsoid(-26, -15, -2, 7.5, 9.5, 22, 0.0), right_grey, "wm_right"),
        Region("marker", Ellipsoid(57, -68, 0, 6, 5, 60, 0.0), Tissue(other, m0=90.0, t1=0.3, t2_star=0.08)),
    )
    return Phantom(
        tuple(
            replace(region, tissue=replace(region.tissue, arteries=_SUPPLY.get(region.name, ()))) for region in regions
        )
    )
