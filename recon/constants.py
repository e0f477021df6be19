"""Physical constants: value, unit, range of validity, source.

Sources
-------
Alsop et al. 2015, Magn Reson Med 73:102-116 (the ASL consensus paper), Table 3 and Eqs. 1-2.
"""

from types import MappingProxyType
from typing import Final

__all__ = [
    "ABV_BOUNDS",
    "ATT_BOUNDS",
    "BACKGROUND_SUPPRESSION_EFFICIENCY_PER_PULSE",
    "BLOOD_T1",
    "BLOOD_T1_HAEMATOCRIT_RANGE",
    "BLOOD_T1_RATE_BY_HAEMATOCRIT",
    "CBF_BOUNDS",
    "FIELD_STRENGTH_TOLERANCE",
    "GREY_MATTER_T1",
    "LABELING_EFFICIENCY",
    "M0_REPETITION_TIME_LIMIT",
    "NOISE_EQUIVALENT_BANDWIDTH_RATIO",
    "PARTITION_COEFFICIENT",
    "RBF_BOUNDS",
    "RENAL_BLOOD_T1",
    "RENAL_CORTEX_T1",
    "RENAL_LABELING_EFFICIENCY",
    "SECONDS_PER_MINUTE_TIMES_100_G",
    "TISSUE_T1",
]

PARTITION_COEFFICIENT: Final = 0.9
"""Blood-tissue water partition coefficient lambda [ml/g], brain (Alsop 2015)."""

BLOOD_T1: Final = MappingProxyType({1.5: 1.35, 3.0: 1.65, 7.0: 2.09})
"""T1 of arterial blood [s] by field strength [T]: 1.5 and 3 T Alsop 2015; 7 T Zhang et al. 2013, Magn Reson Med
70:1082."""

FIELD_STRENGTH_TOLERANCE: Final = 0.05
"""Relative departure of a magnet from its nominal field strength: 2.8936 T is sold as 3 T."""

LABELING_EFFICIENCY: Final = MappingProxyType({"PCASL": 0.85, "CASL": 0.68, "PASL": 0.98})
"""Inversion efficiency alpha of the labelling alone: PCASL, PASL Alsop 2015; CASL Wang et al. 2005, Radiology
235:218."""

BACKGROUND_SUPPRESSION_EFFICIENCY_PER_PULSE: Final = 0.95
"""Factor on alpha for each background-suppression pulse (Garcia et al. 2005, Magn Reson Med)."""

TISSUE_T1: Final = MappingProxyType({1.5: 1.2, 3.0: 1.6, 7.0: 1.94})
"""Single T1 of brain tissue [s] by field strength [T] for the correction of an M0 image with a short repetition time:
cortical grey matter (Wright et al. 2008, MAGMA 21:121, MPRAGE: 1.197, 1.607, 1.939 s)."""

GREY_MATTER_T1: Final = MappingProxyType({1.5: 1.2, 3.0: 1.3, 7.0: 1.94})
"""T1 of grey matter [s] by field strength [T] for the kinetic model: 3 T the default of BASIL (Chappell et al. 2009,
IEEE Trans Signal Process 57:223), which is that of voxels with some white matter; 1.5 and 7 T Wright et al. 2008, MAGMA
21:121."""

M0_REPETITION_TIME_LIMIT: Final = 5.0
"""Repetition time [s] below which an M0 image is corrected for incomplete recovery (Alsop 2015)."""

NOISE_EQUIVALENT_BANDWIDTH_RATIO: Final = 0.79
"""Share of the receiver bandwidth that carries noise, used where a header states none (MRD
relativeReceiverNoiseBandwidth)."""

SECONDS_PER_MINUTE_TIMES_100_G: Final = 6000.0
"""From ml/g/s to ml/100 g/min."""

BLOOD_T1_RATE_BY_HAEMATOCRIT: Final = (0.38, 0.52)
"""Intercept and slope of 1/T1 [1/s] of arterial blood over the haematocrit at 3 T (Lu et al. 2004, Magn Reson Med
52:679; bovine blood, 37 C, oxygenation 92 %)."""

BLOOD_T1_HAEMATOCRIT_RANGE: Final = (0.2, 0.7)
"""Haematocrit for which the line is used: anaemia to newborns; it was measured from 0.38 to 0.46."""

CBF_BOUNDS: Final = (0.0, 1000.0)
"""Of a kinetic fit [ml/100 g/min]: ten times healthy grey matter (`PHYSIOLOGICAL_FLOW`), so that a wrong scale of M0 is
seen and not clipped; kidneys need more."""

ATT_BOUNDS: Final = (0.0, 5.0)
"""Of a kinetic fit, arterial transit time [s]: beyond all that a label survives."""

ABV_BOUNDS: Final = (0.0, 0.1)
"""Of a kinetic fit, arterial blood volume as a fraction of the voxel."""

RENAL_BLOOD_T1: Final = MappingProxyType({1.5: 1.48, 3.0: 1.65})
"""T1 of arterial blood [s] by field strength [T] for the kidney (Nery et al. 2020, MAGMA 33:141)."""

RENAL_LABELING_EFFICIENCY: Final = MappingProxyType({"PCASL": 0.85, "PASL": 0.95})
"""Inversion efficiency for the kidney; PASL stands for FAIR (Nery et al. 2020, MAGMA 33:141)."""

RENAL_CORTEX_T1: Final = MappingProxyType({1.5: 0.97, 3.0: 1.15})
"""T1 of renal cortex [s] by field strength [T]: 1.5 T de Bazelaire et al. 2004, Radiology 230:652; 3 T Nery et al.
2020, MAGMA 33:141 (1.14 s in the former). At 3 T the medulla has about 1.55 s."""

RBF_BOUNDS: Final = (0.0, 4500.0)
"""Of a kinetic fit of renal blood flow [ml/100 g/min]: ten times healthy cortex (`PHYSIOLOGICAL_FLOW`)."""

PHYSIOLOGICAL_FLOW: Final = MappingProxyType({"brain": 100.0, "kidney": 450.0})
"""Upper end of the blood flow of healthy tissue [ml/100 g/min]: grey matter 40 to 100 (Alsop 2015), renal cortex 200 to
450 (Harteveld et al. 2020, MAGMA 33:81)."""
