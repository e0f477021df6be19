"""The MRD header of a simulated scan.

The simulator plays the scanner. It converts from the units of the recipe (s, mm, rad) to those of MRD (ms, us, degrees)
itself, so that the reader's conversions are judged by it.
"""

import json

import numpy as np
from ismrmrd import xsd

from perfline.gadgets.simulate.asl_words import asl_words
from perfline.gadgets.simulate.encoding import header_number, scan_encoding
from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe
from perfline.gadgets.simulate.spiral_recipe import SpiralRecipe

__all__ = ["scan_header_xml"]

_PROTON_FREQUENCY_PER_TESLA = 42577478.0
"""[Hz/T], CODATA 2018."""


def scan_header_xml(recipe: SimulationRecipe) -> bytes:
    """Write the header of a scan as MRD XML.

    Parameters
    ----------
    recipe : SimulationRecipe

    Returns
    -------
    bytes
        An ``ismrmrdHeader`` document with the ASL parameters among its ``userParameters``.

    Examples
    --------
    >>> b"<trajectory>epi</trajectory>" in scan_header_xml(EpiRecipe())
    True
    """
    header = xsd.ismrmrdHeader(
        measurementInformation=xsd.measurementInformationType(
            patientPosition=xsd.patientPositionType.HFS, protocolName="perfline_simulated_asl"
        ),
        acquisitionSystemInformation=xsd.acquisitionSystemInformationType(
            systemVendor="perfline",
            systemModel="simulator",
            systemFieldStrength_T=recipe.field_strength,
            relativeReceiverNoiseBandwidth=recipe.relative_noise_bandwidth,
            receiverChannels=recipe.n_coils,
        ),
        experimentalConditions=xsd.experimentalConditionsType(
            H1resonanceFrequency_Hz=round(recipe.field_strength * _PROTON_FREQUENCY_PER_TESLA)
        ),
        encoding=[scan_encoding(recipe)],
        sequenceParameters=_sequence_parameters(recipe),
        userParameters=_user_parameters(recipe),
    )
    return str(xsd.ToXML(header)).encode("ascii")


def _sequence_parameters(recipe: SimulationRecipe) -> xsd.sequenceParametersType:
    """Times in ms, angles in degrees."""
    echo_times = recipe.echo_times if isinstance(recipe, SpiralRecipe) else (recipe.echo_time,)
    parameters = xsd.sequenceParametersType(
        TR=[header_number(1e3 * recipe.repetition_time)],
        TE=[header_number(1e3 * time) for time in echo_times],
        flipAngle_deg=[header_number(np.rad2deg(recipe.flip_angle))],
        sequence_type="Spiral",
    )
    if isinstance(recipe, EpiRecipe):
        parameters.sequence_type = "EPI"
        parameters.echo_spacing = [header_number(1e3 * recipe.epi.echo_spacing)]
    return parameters


def _user_parameters(recipe: SimulationRecipe) -> xsd.userParametersType:
    """The ASL parameters as MRD has them: numbers, and texts that may hold a list."""
    doubles: list[xsd.userParameterDoubleType] = []
    strings: list[xsd.userParameterStringType] = []
    for name, value in asl_words(recipe).items():
        if isinstance(value, str | bool | list):
            text = value if isinstance(value, str) else json.dumps(value)
            strings.append(xsd.userParameterStringType(name=name, value=text))
        else:
            doubles.append(xsd.userParameterDoubleType(name=name, value=header_number(value)))
    return xsd.userParametersType(userParameterDouble=doubles, userParameterString=strings)
