"""The MRD header of a simulated scan.

The simulator plays the scanner. It converts from the units of the recipe (s, mm, rad) to those of MRD (ms, us, degrees)
itself, so that the reader's conversions are judged by it.
"""

import json

import numpy as np
from ismrmrd import xsd

from perfline.gadgets.simulate.recipes import SimulationRecipe, VolumeOrder
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
    >>> b"<trajectory>epi</trajectory>" in scan_header_xml(SimulationRecipe())
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
        encoding=[_encoding(recipe)],
        sequenceParameters=xsd.sequenceParametersType(
            TR=[_round(1e3 * recipe.repetition_time)],
            TE=[_round(1e3 * recipe.echo_time)],
            flipAngle_deg=[_round(np.rad2deg(recipe.flip_angle))],
            sequence_type="EPI",
            echo_spacing=[_round(1e3 * recipe.epi.echo_spacing)],
        ),
        userParameters=_user_parameters(recipe),
    )
    return str(xsd.ToXML(header)).encode("ascii")


def _round(value: float) -> float:
    """Drop the digits that binary fractions add, so that 4200.0 is written and not 4200.000000000001."""
    return round(float(value), 9)


def _encoding(recipe: SimulationRecipe) -> xsd.encodingType:
    """Matrix, field of view, limits and readout."""
    epi = recipe.epi
    volumes = planned_volumes(recipe)
    return xsd.encodingType(
        trajectory=xsd.trajectoryType.EPI,
        encodedSpace=_space(
            recipe,
            (epi.readout_axis.n_encoded, epi.phase_axis.n_encoded),
            (epi.readout_axis.field_of_view_encoded, epi.phase_axis.field_of_view_encoded),
        ),
        reconSpace=_space(recipe, (recipe.matrix_x, recipe.matrix_y), (recipe.field_of_view_x, recipe.field_of_view_y)),
        encodingLimits=xsd.encodingLimitsType(
            kspace_encoding_step_1=_limit(epi.n_lines - 1, epi.center_line),
            kspace_encoding_step_2=_limit(0),
            average=_limit(0),
            slice=_limit(recipe.n_slices - 1),
            contrast=_limit(0),
            phase=_limit(0),
            repetition=_limit(max(volume.repetition for volume in volumes)),
            set=_limit(max(volume.set for volume in volumes)),
            segment=_limit(recipe.n_shots - 1),
        ),
        trajectoryDescription=_trajectory_description(recipe),
    )


def _space(recipe: SimulationRecipe, size: tuple[int, int], extent: tuple[float, float]) -> xsd.encodingSpaceType:
    return xsd.encodingSpaceType(
        matrixSize=xsd.matrixSizeType(x=size[0], y=size[1], z=1),
        fieldOfView_mm=xsd.fieldOfViewMm(x=_round(extent[0]), y=_round(extent[1]), z=recipe.slice_thickness),
    )


def _limit(maximum: int, center: int = 0) -> xsd.limitType:
    return xsd.limitType(minimum=0, maximum=maximum, center=center)


def _trajectory_description(recipe: SimulationRecipe) -> xsd.trajectoryDescriptionType:
    """The words of Gadgetron's ``ConventionalEPI``, times in us."""
    epi = recipe.epi
    longs = {
        "etl": -(-epi.n_lines // recipe.n_shots),
        "numberOfNavigators": recipe.n_navigators,
        "numSamples": recipe.n_samples,
    }
    if epi.readout.is_ramped:
        longs |= {
            "rampUpTime": round(1e6 * recipe.ramp_time),
            "rampDownTime": round(1e6 * recipe.ramp_time),
            "flatTopTime": round(1e6 * recipe.flat_top_time),
            "acqDelayTime": round(1e6 * recipe.acquisition_delay),
        }
    return xsd.trajectoryDescriptionType(
        identifier="ConventionalEPI",
        userParameterLong=[xsd.userParameterLongType(name=name, value=value) for name, value in longs.items()],
        userParameterDouble=[xsd.userParameterDoubleType(name="dwellTime", value=_round(1e6 * recipe.dwell_time))],
        comment="simulated EPI",
    )


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
        "MRAcquisitionType": "2D",
        "BackgroundSuppression": "true" if pulses else "false",
        "SliceTiming": json.dumps(recipe.slice_timing),
    }
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
            xsd.userParameterDoubleType(name=name, value=_round(value)) for name, value in doubles.items()
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
