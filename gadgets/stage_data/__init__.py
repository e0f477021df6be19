"""The items that travel between stages: never changed, in the units of ``recon`` (s, mm, rad, T).

Axis order is (slice, coil, y, x). Each derived item keeps its ``source``: what it was made from.
"""

from perfline.gadgets.stage_data.header import (
    AslParameters,
    GradientResponse,
    HargreavesParameters,
    Parameter,
    ScanHeader,
    SpiralParameters,
)
from perfline.gadgets.stage_data.perfusion import (
    CbfVolume,
    DeltaMVolume,
    KineticFit,
    PerfusionAverage,
    RegionPrecision,
    ScanQuality,
    TerritoryMap,
)
from perfline.gadgets.stage_data.readout import Counters, Limits, Purpose, Readout, VolumeKey
from perfline.gadgets.stage_data.readout_block import ReadoutBlock
from perfline.gadgets.stage_data.report import Delivered, Dropped, Motion, Notice
from perfline.gadgets.stage_data.side import (
    FieldMap,
    GivenTrajectory,
    RegionLabels,
    SeparateM0,
    SideData,
    TissueMaps,
    TransitTimeMap,
)
from perfline.gadgets.stage_data.volume import (
    ControlLabelPair,
    KSpaceSlice,
    M0Volume,
    SliceGeometry,
    Volume,
    VolumeLabel,
)

__all__ = [
    "AslParameters",
    "CbfVolume",
    "ControlLabelPair",
    "Counters",
    "Delivered",
    "DeltaMVolume",
    "Dropped",
    "FieldMap",
    "GivenTrajectory",
    "GradientResponse",
    "HargreavesParameters",
    "KSpaceSlice",
    "KineticFit",
    "Limits",
    "M0Volume",
    "Motion",
    "Notice",
    "Parameter",
    "PerfusionAverage",
    "Purpose",
    "Readout",
    "ReadoutBlock",
    "RegionLabels",
    "RegionPrecision",
    "ScanHeader",
    "ScanQuality",
    "SeparateM0",
    "SideData",
    "SliceGeometry",
    "SpiralParameters",
    "TerritoryMap",
    "TissueMaps",
    "TransitTimeMap",
    "Volume",
    "VolumeKey",
    "VolumeLabel",
]
