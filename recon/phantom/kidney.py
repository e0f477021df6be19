"""Two kidneys with cortex and medulla in a trunk, cut by coronal slices."""

from dataclasses import replace

from perfline.recon.parameters import LabelingType
from perfline.recon.phantom.brain import Phantom, Region, Tissue, TissueClass
from perfline.recon.phantom.ellipsoids import Ellipsoid

__all__ = ["kidney_phantom"]


def kidney_phantom(labeling_type: LabelingType = LabelingType.PCASL) -> Phantom:
    """A trunk with liver, spine and two unlike kidneys that no flip, rotation or exchange of axes maps onto itself.

    Parameters
    ----------
    labeling_type : LabelingType
        Whose results the flow and the transit time are: those of pCASL and of FAIR (PASL) differ.

    Returns
    -------
    Phantom
        Each kidney is cortex around two medullas; 310 x 270 mm in the plane of a coronal slice: x towards the patient's
        left, y towards the feet.

    Notes
    -----
    Flow and transit time are means of healthy kidneys. pCASL: cortex 201 ml/100 g/min and 0.71 s, medulla 84 ml/100
    g/min and 0.86 s. FAIR: cortex 362 ml/100 g/min and 0.47 s, medulla 140 ml/100 g/min and 0.70 s. T1 at 3 T: cortex
    1.15 s, medulla 1.55 s. Liver and muscle stand in with nominal values and without flow: the arteries of the liver
    are not labelled as those of the kidneys are.

    References
    ----------
    Harteveld et al. 2020, MAGMA 33:81 (flow, transit time). Nery et al. 2020, MAGMA 33:141 (T1).

    Examples
    --------
    >>> phantom = kidney_phantom()
    >>> sorted(set(phantom.values("cbf").tolist()))
    [0.0, 84.0, 201.0]
    """
    cortex = Tissue(TissueClass.CORTEX, m0=90.0, t1=1.15, t2_star=0.04, cbf=201.0, att=0.71)
    medulla = Tissue(TissueClass.MEDULLA, m0=95.0, t1=1.55, t2_star=0.04, cbf=84.0, att=0.86)
    if labeling_type is LabelingType.PASL:
        cortex, medulla = replace(cortex, cbf=362.0, att=0.47), replace(medulla, cbf=140.0, att=0.70)
    muscle = Tissue(TissueClass.OTHER, m0=60.0, t1=1.4, t2_star=0.025)
    liver = Tissue(TissueClass.OTHER, m0=75.0, t1=0.8, t2_star=0.02)
    spine = Tissue(TissueClass.OTHER, m0=45.0, t1=0.6, t2_star=0.01)
    regions = (
        Region("trunk", Ellipsoid(2, 0, 0, 155, 135, 110, 0.0), muscle),
        Region("liver", Ellipsoid(-64, -74, 0, 42, 32, 60, 0.2), liver, "trunk"),
        Region("spine", Ellipsoid(1, 10, 0, 14, 110, 20, 0.0), spine, "trunk"),
        Region("cortex_left", Ellipsoid(62, -8, 2, 34, 58, 40, 0.15), cortex, "trunk"),
        Region("cortex_right", Ellipsoid(-60, 24, -1, 32, 54, 38, -0.2), cortex, "trunk"),
        Region("medulla_left_upper", Ellipsoid(57, -31, 2, 15, 17, 24, 0.15), medulla, "cortex_left"),
        Region("medulla_left_lower", Ellipsoid(60, 15, 2, 16, 18, 24, 0.15), medulla, "cortex_left"),
        Region("medulla_right_upper", Ellipsoid(-58, 2, -1, 14, 15, 22, -0.2), medulla, "cortex_right"),
        Region("medulla_right_lower", Ellipsoid(-55, 43, -1, 14.5, 16, 22, -0.2), medulla, "cortex_right"),
    )
    return Phantom(regions, TissueClass.CORTEX)
