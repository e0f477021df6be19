"""What quantification takes for an organ where nothing is declared: each value with its source."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from perfline.recon.constants import (
    BLOOD_T1,
    GREY_MATTER_T1,
    LABELING_EFFICIENCY,
    PARTITION_COEFFICIENT,
    RENAL_BLOOD_T1,
    RENAL_CORTEX_T1,
    RENAL_LABELING_EFFICIENCY,
    TISSUE_T1,
)

__all__ = ["ORGAN_DEFAULTS", "Default", "OrganDefaults"]


@dataclass(frozen=True)
class Default:
    """A value and where it is from."""

    value: float
    source: str


@dataclass(frozen=True)
class OrganDefaults:
    """Defaults of one organ: T1 [s], partition coefficient [ml/g]; ``blood_t1`` by field strength [T].

    ``tissue_t1`` corrects an M0 image of a short repetition time, ``perfused_tissue_t1`` is for the kinetic model.
    """

    labeling_efficiency: Mapping[str, Default]
    blood_t1: Mapping[float, Default]
    partition_coefficient: Default
    tissue_t1: Default
    perfused_tissue_t1: Default


def _blood(values: Mapping[float, float], source: Mapping[float, str]) -> Mapping[float, Default]:
    return MappingProxyType(
        {field: Default(t1, f"{source[field]}, blood at {field:g} T") for field, t1 in values.items()}
    )


_RENAL: Final = "Nery 2020, kidney"

ORGAN_DEFAULTS: Final[Mapping[str, OrganDefaults]] = MappingProxyType(
    {
        "brain": OrganDefaults(
            labeling_efficiency={
                name: Default(value, f"{name}, {'Wang 2005' if name == 'CASL' else 'Alsop 2015'}")
                for name, value in LABELING_EFFICIENCY.items()
            },
            blood_t1=_blood(BLOOD_T1, {1.5: "Alsop 2015", 3.0: "Alsop 2015", 7.0: "Zhang 2013"}),
            partition_coefficient=Default(PARTITION_COEFFICIENT, "Alsop 2015"),
            tissue_t1=Default(TISSUE_T1, "brain tissue at 3 T"),
            perfused_tissue_t1=Default(GREY_MATTER_T1, "grey matter at 3 T"),
        ),
        "kidney": OrganDefaults(
            labeling_efficiency={
                name: Default(value, f"{name}, {_RENAL}") for name, value in RENAL_LABELING_EFFICIENCY.items()
            },
            blood_t1=_blood(RENAL_BLOOD_T1, dict.fromkeys(RENAL_BLOOD_T1, _RENAL)),
            partition_coefficient=Default(PARTITION_COEFFICIENT, _RENAL),
            tissue_t1=Default(RENAL_CORTEX_T1, "renal cortex at 3 T"),
            perfused_tissue_t1=Default(RENAL_CORTEX_T1, "renal cortex at 3 T"),
        ),
    }
)
"""By the parameter ``Organ``."""
