"""The MRD header of a simulated scan.

The simulator plays the scanner. It converts from the units of the recipe (s, mm, rad) to those of MRD (ms, us, degrees)
itself, so that the reader's conversions are judged by it.
"""

import json

import numpy as np
from ismrmrd import xsd

from perfline.gadgets.simulate.encoding import header_number, scan_encoding
from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe, VolumeOrder
from perfline.gadgets.simulate.spiral_recipe import SpiralRecipe
from perfline.gadgets.simulate.volume_plan import planned_volumes
from perfline.recon.parameters import VolumeType

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
    """The ASL parameters in the words and units of BIDS."""
    pulses = recipe.background_suppression_pulses
    doubles = {
        "LabelingDuration": recipe.labeling_duration,
        "PostLabelingDelay": recipe.post_labeling_delay,
        "LabelingEfficiency": recipe.labeling_efficiency,
        "MagneticFieldStrength": recipe.field_strength,
        "EchoTime": recipe.echo_time,
        "FlipAngle": np.rad2deg(recipe.flip_angle),
        "BackgroundSuppressionNumberPulses": float(pulses),
    }
    strings = {
        "ArterialSpinLabelingType": str(recipe.labeling_type),
        "M0Type": "Included" if recipe.n_m0 else "Absent",
        "MRAcquisitionType": "2D" if recipe.partition_axis is None else "3D",
        "BackgroundSuppression": "true" if pulses else "false",
    }
    if recipe.partition_axis is None:
        strings["SliceTiming"] = json.dumps(recipe.slice_timing)
    if recipe.labeling_type == "PASL":
        doubles["BolusCutOffDelayTime"] = recipe.labeling_duration
        strings |= {"BolusCutOffFlag": "true", "BolusCutOffTechnique": "QUIPSSII"}
    strings |= _volume_order(recipe)
    if recipe.volume_order is VolumeOrder.SET:
        # without an order of volumes there is no list that could follow it
        doubles["RepetitionTimePreparation"] = recipe.repetition_time
        if recipe.n_m0:
            doubles["M0RepetitionTime"] = recipe.m0_repetition_time
    else:
        kinds = [volume.volume_type for volume in planned_volumes(recipe)]
        times = [recipe.m0_repetition_time if kind is VolumeType.M0SCAN else recipe.repetition_time for kind in kinds]
        strings["RepetitionTimePreparation"] = json.dumps(times)
    return xsd.userParametersType(
        userParameterDouble=[
            xsd.userParameterDoubleType(name=name, value=header_number(value)) for name, value in doubles.items()
        ],
        userParameterString=[xsd.userParameterStringType(name=name, value=value) for name, value in strings.items()],
    )


def _volume_order(recipe: SimulationRecipe) -> dict[str, str]:
    """The declared order of volumes, as the recipe wants it declared."""
    types = [str(volume.volume_type) for volume in planned_volumes(recipe)]
    if recipe.volume_order is VolumeOrder.SET:
        return {}
    if recipe.volume_order is VolumeOrder.CYCLE:
        cycle = types[recipe.n_m0 : recipe.n_m0 + 2]
        return {"aslcontext": json.dumps(types[: recipe.n_m0]), "aslcontext_cycle": json.dumps(cycle)}
    return {"aslcontext": json.dumps(types)}
