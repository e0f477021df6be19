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
    """Defaults of one organ: partition coefficient [ml/g]; each T1 [s] by nominal field strength [T].

    ``tissue_t1`` corrects an M0 image of a short repetition time, ``perfused_tissue_t1`` is for the kinetic model.
    """

    labeling_efficiency: Mapping[str, Default]
    blood_t1: Mapping[float, Default]
    partition_coefficient: Default
    tissue_t1: Mapping[float, Default]
    perfused_tissue_t1: Mapping[float, Default]


def _by_field(
    values: Mapping[float, float], source: Mapping[float, str], what: str, use: str = ""
) -> Mapping[float, Default]:
    return MappingProxyType(
        {field: Default(t1, f"{source[field]}, {what} at {field:g} T{use}") for field, t1 in values.items()}
    )


_RENAL: Final = "Nery 2020, kidney"
_FOR_M0: Final = ", for the recovery of M0"
_FOR_MODEL: Final = ", for the kinetic model"
_RENAL_CORTEX: Final = {1.5: "de Bazelaire 2004", 3.0: "Nery 2020"}

ORGAN_DEFAULTS: Final[Mapping[str, OrganDefaults]] = MappingProxyType(
    {
        "brain": OrganDefaults(
            labeling_efficiency={
                name: Default(value, f"{name}, {'Wang 2005' if name == 'CASL' else 'Alsop 2015'}")
                for name, value in LABELING_EFFICIENCY.items()
            },
            blood_t1=_by_field(BLOOD_T1, {1.5: "Alsop 2015", 3.0: "Alsop 2015", 7.0: "Zhang 2013"}, "blood"),
            partition_coefficient=Default(PARTITION_COEFFICIENT, "Alsop 2015"),
            tissue_t1=_by_field(TISSUE_T1, dict.fromkeys(TISSUE_T1, "Wright 2008"), "brain tissue", _FOR_M0),
            perfused_tissue_t1=_by_field(
                GREY_MATTER_T1,
                {1.5: "Wright 2008", 3.0: "Chappell 2009", 7.0: "Wright 2008"},
                "grey matter",
                _FOR_MODEL,
            ),
        ),
        "kidney": OrganDefaults(
            labeling_efficiency={
                name: Default(value, f"{name}, {_RENAL}") for name, value in RENAL_LABELING_EFFICIENCY.items()
            },
            blood_t1=_by_field(RENAL_BLOOD_T1, dict.fromkeys(RENAL_BLOOD_T1, _RENAL), "blood"),
            partition_coefficient=Default(PARTITION_COEFFICIENT, _RENAL),
            tissue_t1=_by_field(RENAL_CORTEX_T1, _RENAL_CORTEX, "renal cortex", _FOR_M0),
            perfused_tissue_t1=_by_field(RENAL_CORTEX_T1, _RENAL_CORTEX, "renal cortex", _FOR_MODEL),
        ),
    }
)
"""By the parameter ``Organ``."""
