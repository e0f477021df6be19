"""Ellipsoids, whole or cut by slices, whose Fourier transforms are known on paper.

Coordinates in mm from the centre of the imaged volume: x along the readout, y along the phase encoding, z along the
slice normal. An `Ellipsoid` may be turned about z only, so that its cross section with a slice is again an ellipse.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import j1

from perfline.recon.checks import check_positive
from perfline.recon.errors import InputError

__all__ = [
    "Ellipse",
    "Ellipsoid",
    "ellipse_kspace",
    "ellipsoid_envelope",
    "ellipsoid_kspace",
    "inside_ellipse",
    "surface_points",
]


@dataclass(frozen=True)
class Ellipse:
    """A filled ellipse in a slice.

    Parameters
    ----------
    x, y : float
        Its centre [mm].
    semi_axis_x, semi_axis_y : float
        Along x and y before it is turned [mm].
    angle : float
        Turned by this, from x towards y [rad].

    Raises
    ------
    InputError
        A semi-axis is not positive.
    """

    x: float
    y: float
    semi_axis_x: float
    semi_axis_y: float
    angle: float = 0.0

    def __post_init__(self) -> None:
        check_positive("semi_axis_x", self.semi_axis_x, "mm")
        check_positive("semi_axis_y", self.semi_axis_y, "mm")

    @property
    def area(self) -> float:
        """Area [mm^2].

        Examples
        --------
        >>> round(Ellipse(0, 0, 3, 2).area, 3)
        18.85
        """
        return float(np.pi * self.semi_axis_x * self.semi_axis_y)


@dataclass(frozen=True)
class Ellipsoid:
    """A filled ellipsoid, turned about z.

    Parameters
    ----------
    x, y, z : float
        Its centre [mm].
    semi_axis_x, semi_axis_y, semi_axis_z : float
        Before it is turned [mm].
    angle : float
        Turned by this about z, from x towards y [rad].

    Raises
    ------
    InputError
        A semi-axis is not positive.
    """

    x: float
    y: float
    z: float
    semi_axis_x: float
    semi_axis_y: float
    semi_axis_z: float
    angle: float = 0.0

    def __post_init__(self) -> None:
        for name in ("semi_axis_x", "semi_axis_y", "semi_axis_z"):
            check_positive(name, getattr(self, name), "mm")

    def cross_section(self, z: float) -> Ellipse | None:
        """Cut with the thin slice at `z` [mm]; None where the slice misses the ellipsoid.

        Examples
        --------
        >>> Ellipsoid(1, 2, 0, 10, 5, 5).cross_section(3.0)
        Ellipse(x=1, y=2, semi_axis_x=8.0, semi_axis_y=4.0, angle=0.0)
        >>> Ellipsoid(1, 2, 0, 10, 5, 5).cross_section(5.0) is None
        True
        """
        height = (z - self.z) / self.semi_axis_z
        if abs(height) >= 1:
            return None
        shrink = float(np.sqrt(1 - height**2))
        return Ellipse(self.x, self.y, self.semi_axis_x * shrink, self.semi_axis_y * shrink, self.angle)

    def contains(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each of `points` (n_points, 3), axis order x, y, z [mm], lies inside."""
        offset = points - np.array([self.x, self.y, self.z])
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        along_x = (cosine * offset[:, 0] + sine * offset[:, 1]) / self.semi_axis_x
        along_y = (-sine * offset[:, 0] + cosine * offset[:, 1]) / self.semi_axis_y
        inside: NDArray[np.bool_] = along_x**2 + along_y**2 + (offset[:, 2] / self.semi_axis_z) ** 2 <= 1
        return inside


def surface_points(ellipsoid: Ellipsoid, n_points: int = 400) -> NDArray[np.float64]:
    """Spread points over the surface of an ellipsoid.

    Parameters
    ----------
    ellipsoid : Ellipsoid
    n_points : int

    Returns
    -------
    float64 array (n_points, 3)
        Axis order x, y, z [mm].

    Raises
    ------
    InputError
        `n_points` is not positive.

    Notes
    -----
    A Fibonacci lattice on the unit sphere, stretched and turned.

    References
    ----------
    Gonzalez 2010, Math Geosci 42:49, Eq. 1.
    """
    if n_points < 1:
        raise InputError(f"n_points: expected a positive number, got {n_points}")
    index = np.arange(n_points) + 0.5
    height = 1 - 2 * index / n_points
    longitude = np.pi * (1 + np.sqrt(5)) * index
    radius = np.sqrt(1 - height**2)
    along_x = ellipsoid.semi_axis_x * radius * np.cos(longitude)
    along_y = ellipsoid.semi_axis_y * radius * np.sin(longitude)
    cosine, sine = np.cos(ellipsoid.angle), np.sin(ellipsoid.angle)
    points = [cosine * along_x - sine * along_y, sine * along_x + cosine * along_y, ellipsoid.semi_axis_z * height]
    return np.stack(points, axis=-1) + np.array([ellipsoid.x, ellipsoid.y, ellipsoid.z])


def inside_ellipse(ellipse: Ellipse, y: ArrayLike, x: ArrayLike) -> NDArray[np.bool_]:
    """Tell which positions lie inside an ellipse.

    Parameters
    ----------
    ellipse : Ellipse
    y, x : arrays that broadcast against each other
        Positions [mm].

    Returns
    -------
    bool array of the broadcast shape

    Examples
    --------
    >>> inside_ellipse(Ellipse(0, 0, 2, 1), y=[[0.0], [1.5]], x=[0.0, 1.5, 2.5])
    array([[ True,  True, False],
           [False, False, False]])
    """
    offset_x, offset_y = np.asarray(x, np.float64) - ellipse.x, np.asarray(y, np.float64) - ellipse.y
    cosine, sine = np.cos(ellipse.angle), np.sin(ellipse.angle)
    along_x = (cosine * offset_x + sine * offset_y) / ellipse.semi_axis_x
    along_y = (-sine * offset_x + cosine * offset_y) / ellipse.semi_axis_y
    inside: NDArray[np.bool_] = along_x**2 + along_y**2 <= 1
    return inside


def ellipse_kspace(ellipse: Ellipse, k_y: ArrayLike, k_x: ArrayLike) -> NDArray[np.complex128]:
    """Fourier transform of a filled ellipse of height one.

    Parameters
    ----------
    ellipse : Ellipse
    k_y, k_x : arrays that broadcast against each other
        Spatial frequencies [cycles/mm].

    Returns
    -------
    complex128 array of the broadcast shape
        ``integral over the ellipse of exp(-2 pi i (k_x x + k_y y)) dx dy`` [mm^2].

    Notes
    -----
    With the frequency measured along the semi-axes a, b, ``q = sqrt((a k_a)^2 + (b k_b)^2)``:
    ``F = a b J1(2 pi q) / q exp(-2 pi i k r0)``, and ``pi a b`` at ``q = 0``.
    For images in the units of the object, from a unitary centred inverse DFT of n_y x n_x samples one cycle
    per field of view apart, multiply by ``sqrt(n_y n_x) / (fov_y fov_x)`` (see `object_kspace.kspace_scale`).

    References
    ----------
    Van de Walle et al. 1997, Magn Reson Med 38:980 (ellipses in k-space);
    Koay et al. 2007, Magn Reson Med 58:430, Eq. 5 (ellipsoids).

    Examples
    --------
    >>> ellipse_kspace(Ellipse(0, 0, 3, 2), 0.0, 0.0).real.round(3)
    np.float64(18.85)
    """
    k_y, k_x = np.asarray(k_y, np.float64), np.asarray(k_x, np.float64)
    cosine, sine = np.cos(ellipse.angle), np.sin(ellipse.angle)
    along_x = ellipse.semi_axis_x * (cosine * k_x + sine * k_y)
    along_y = ellipse.semi_axis_y * (-sine * k_x + cosine * k_y)
    # far below the first step of any k-space, so that the limit at zero is reached without a special case
    radius = np.maximum(np.hypot(along_x, along_y), 1e-9)
    jinc = ellipse.semi_axis_x * ellipse.semi_axis_y * j1(2 * np.pi * radius) / radius
    # the two exponentials are taken before they broadcast: n_y + n_x of them instead of n_y n_x
    transform: NDArray[np.complex128] = (
        jinc * np.exp(-2j * np.pi * k_y * ellipse.y) * np.exp(-2j * np.pi * k_x * ellipse.x)
    )
    return transform


def ellipsoid_kspace(ellipsoid: Ellipsoid, k_z: ArrayLike, k_y: ArrayLike, k_x: ArrayLike) -> NDArray[np.complex128]:
    """Fourier transform of a filled ellipsoid of height one.

    Parameters
    ----------
    ellipsoid : Ellipsoid
    k_z, k_y, k_x : arrays that broadcast against each other
        Spatial frequencies [cycles/mm].

    Returns
    -------
    complex128 array of the broadcast shape
        ``integral over the ellipsoid of exp(-2 pi i (k_x x + k_y y + k_z z)) dx dy dz`` [mm^3].

    Notes
    -----
    `ellipsoid_envelope` times ``exp(-2 pi i k r0)``.

    Examples
    --------
    >>> ellipsoid_kspace(Ellipsoid(0, 0, 0, 3, 2, 1), 0.0, 0.0, 0.0).real.round(3)
    np.float64(25.133)
    """
    k_z, k_y, k_x = np.asarray(k_z, np.float64), np.asarray(k_y, np.float64), np.asarray(k_x, np.float64)
    phase = k_x * ellipsoid.x + k_y * ellipsoid.y + k_z * ellipsoid.z
    transform: NDArray[np.complex128] = ellipsoid_envelope(ellipsoid, k_z, k_y, k_x) * np.exp(-2j * np.pi * phase)
    return transform


def ellipsoid_envelope(ellipsoid: Ellipsoid, k_z: ArrayLike, k_y: ArrayLike, k_x: ArrayLike) -> NDArray[np.float64]:
    """Fourier transform of a filled ellipsoid of height one, moved to the origin.

    Parameters
    ----------
    ellipsoid : Ellipsoid
    k_z, k_y, k_x : arrays that broadcast against each other
        Spatial frequencies [cycles/mm].

    Returns
    -------
    float64 array of the broadcast shape
        [mm^3]

    Notes
    -----
    With the frequency measured along the semi-axes a, b, c, ``u = 2 pi sqrt((a k_a)^2 + (b k_b)^2 + (c k_c)^2)``:
    ``F = 4 pi a b c (sin u - u cos u) / u^3``, and ``4 pi a b c / 3`` at ``u = 0``.

    References
    ----------
    Koay et al. 2007, Magn Reson Med 58:430, Eq. 5.

    Examples
    --------
    >>> ball = Ellipsoid(5, 0, 0, 10, 10, 10)
    >>> bool(abs(ellipsoid_envelope(ball, 0.0, 0.0, 0.03) - abs(ellipsoid_kspace(ball, 0.0, 0.0, 0.03))) < 1e-9)
    True
    """
    k_z, k_y, k_x = np.asarray(k_z, np.float64), np.asarray(k_y, np.float64), np.asarray(k_x, np.float64)
    cosine, sine = np.cos(ellipsoid.angle), np.sin(ellipsoid.angle)
    along_x = ellipsoid.semi_axis_x * (cosine * k_x + sine * k_y)
    along_y = ellipsoid.semi_axis_y * (-sine * k_x + cosine * k_y)
    along_z = ellipsoid.semi_axis_z * k_z
    # nearer to zero the difference below loses more digits than the limit at zero is off: 1e-8 of it, both
    u = np.maximum(2 * np.pi * np.sqrt(along_x * along_x + along_y * along_y + along_z * along_z), 3e-4)
    volume = 4 * np.pi * ellipsoid.semi_axis_x * ellipsoid.semi_axis_y * ellipsoid.semi_axis_z
    envelope: NDArray[np.float64] = volume * (np.sin(u) / u - np.cos(u)) / (u * u)
    return envelope
