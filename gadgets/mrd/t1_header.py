"""T1 of blood and of tissue: declared, or the default of the organ at the field strength."""

from collections.abc import Mapping
from dataclasses import replace
from math import nan
from typing import Any

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.mrd.organ_defaults import Default, OrganDefaults
from perfline.gadgets.mrd.parameter_sources import Candidate, ParameterSources, missing_parameter
from perfline.gadgets.mrd.parameter_values import positive, seconds
from perfline.gadgets.stage_data import AslParameters
from perfline.recon.asl.blood_t1 import nominal_field_strength
from perfline.recon.asl.haematocrit import blood_t1_of_haematocrit
from perfline.recon.constants import M0_REPETITION_TIME_LIMIT
from perfline.recon.errors import InputError

__all__ = ["as_candidate", "find_blood_t1", "with_tissue_t1"]


def as_candidate(default: Default | None) -> Candidate | None:
    """A default with its source as origin."""
    return None if default is None else Candidate(default.value, f"default: {default.source}")


def find_blood_t1(sources: ParameterSources, field_strength: float | None, defaults: OrganDefaults) -> float:
    """T1 of arterial blood [s]: declared, from the haematocrit, or the default at the field strength [T].

    Raises
    ------
    MissingParameterError
        It is nowhere, and has no default at this field strength.
    ScanHeaderError
        A value can't be used.
    """
    default = _at_field(defaults.blood_t1, field_strength)
    haematocrit = sources.find("Haematocrit", positive)
    if haematocrit is not None and field_strength is not None:
        origin = sources.parameters["Haematocrit"].origin
        try:
            default = Candidate(blood_t1_of_haematocrit(haematocrit, field_strength), f"Lu 2004, Haematocrit, {origin}")
        except InputError as error:
            raise ScanHeaderError(f"Haematocrit ({origin}): {error}") from error
    return sources.require("BloodT1", _t1, why=_no_default(field_strength), unit="s", default=default)


def with_tissue_t1(
    sources: ParameterSources, asl: AslParameters, field_strength: float | None, defaults: OrganDefaults
) -> AslParameters:
    """Add both T1 of tissue; one that is declared nowhere, has no default at this field and no use stays NaN.

    Raises
    ------
    MissingParameterError
        One that M0, or the fit over several delays, needs is nowhere, and has no default at this field strength.
    ScanHeaderError
        A value can't be used.
    """
    tissue_default = _at_field(defaults.tissue_t1, field_strength)
    tissue = sources.find("TissueT1", _t1, unit="s", default=tissue_default)
    m0_time = asl.m0_repetition_time
    if tissue is None and m0_time is not None and m0_time < M0_REPETITION_TIME_LIMIT:
        raise missing_parameter(
            "TissueT1", f"for M0 of a repetition time of {m0_time:g} s, {_no_default(field_strength)}"
        )
    perfused_default = _at_field(defaults.perfused_tissue_t1, field_strength)
    perfused = sources.find("GreyMatterT1", _t1, unit="s", default=perfused_default)
    if perfused is None:
        # it brings kernels, which the process that reads headers at a server's start does without
        from perfline.gadgets.stages.delays import is_fitted

        if is_fitted(asl):
            raise missing_parameter("GreyMatterT1", f"for the fit over several delays, {_no_default(field_strength)}")
    return replace(
        asl,
        tissue_t1=nan if tissue is None else tissue,
        perfused_tissue_t1=nan if perfused is None else perfused,
    )


def _at_field(defaults: Mapping[float, Default], field_strength: float | None) -> Candidate | None:
    nominal = None if field_strength is None else nominal_field_strength(field_strength)
    return as_candidate(None if nominal is None else defaults.get(nominal))


def _no_default(field_strength: float | None) -> str:
    field = "unknown" if field_strength is None else f"{field_strength:g} T"
    return f"no default for a field strength that is {field}"


def _t1(name: str, value: Any, origin: str) -> float:
    return positive(name, seconds(name, value, origin), origin)
