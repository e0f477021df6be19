"""The encoding of a simulated scan as the MRD header has it: spaces, limits and description of the trajectory."""

from ismrmrd import xsd

from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe
from perfline.gadgets.simulate.spiral_recipe import SpiralEncoding, SpiralRecipe
from perfline.gadgets.simulate.volume_plan import planned_volumes
from perfline.recon.errors import InputError

__all__ = ["header_number", "scan_encoding"]


def header_number(value: float) -> float:
    """Drop the digits that binary fractions add, so that 4200.0 is written and not 4200.000000000001.

    Examples
    --------
    >>> header_number(1e3 * 4.2 * 1.0000000000000002)
    4200.0
    """
    return round(float(value), 9)


def scan_encoding(recipe: SimulationRecipe) -> xsd.encodingType:
    """Describe matrix, field of view, limits and trajectory.

    Parameters
    ----------
    recipe : SimulationRecipe

    Returns
    -------
    ismrmrd.xsd.encodingType

    Examples
    --------
    >>> scan_encoding(EpiRecipe(n_slices=7)).encodingLimits.slice.maximum
    6
    """
    if isinstance(recipe, EpiRecipe):
        return _epi_encoding(recipe)
    if isinstance(recipe, SpiralRecipe):
        return _spiral_encoding(recipe)
    raise InputError(f"recipe: expected an EPI or spiral scan, got {type(recipe).__name__}")


def _epi_encoding(recipe: EpiRecipe) -> xsd.encodingType:
    epi = recipe.epi
    return xsd.encodingType(
        trajectory=xsd.trajectoryType.EPI,
        encodedSpace=_space(
            recipe,
            (epi.readout_axis.n_encoded, epi.phase_axis.n_encoded),
            (epi.readout_axis.field_of_view_encoded, epi.phase_axis.field_of_view_encoded),
        ),
        reconSpace=_image_space(recipe),
        encodingLimits=_limits(recipe, _limit(epi.n_lines - 1, epi.center_line)),
        trajectoryDescription=_epi_description(recipe),
    )


def _spiral_encoding(recipe: SpiralRecipe) -> xsd.encodingType:
    partitions = None
    if recipe.encoding is SpiralEncoding.STACK:
        skipped = recipe.n_skipped_partitions
        partitions = _limit(recipe.n_slices - skipped - 1, recipe.n_slices // 2 - skipped)
    encoding = xsd.encodingType(
        trajectory=xsd.trajectoryType.SPIRAL,
        encodedSpace=_image_space(recipe),
        reconSpace=_image_space(recipe),
        encodingLimits=_limits(
            recipe, _limit(recipe.spiral.n_arms - 1), partitions, n_contrasts=len(recipe.echo_times)
        ),
        trajectoryDescription=_spiral_description(recipe),
    )
    if recipe.acceleration > 1:
        encoding.parallelImaging = xsd.parallelImagingType(
            accelerationFactor=xsd.accelerationFactorType(
                kspace_encoding_step_1=recipe.acceleration, kspace_encoding_step_2=1
            ),
            calibrationMode=xsd.calibrationModeType.SEPARATE,
        )
    return encoding


def _image_space(recipe: SimulationRecipe) -> xsd.encodingSpaceType:
    return _space(recipe, (recipe.matrix_x, recipe.matrix_y), (recipe.field_of_view_x, recipe.field_of_view_y))


def _space(recipe: SimulationRecipe, size: tuple[int, int], extent: tuple[float, float]) -> xsd.encodingSpaceType:
    slab = recipe.partition_axis
    return xsd.encodingSpaceType(
        matrixSize=xsd.matrixSizeType(x=size[0], y=size[1], z=1 if slab is None else slab.n_encoded),
        fieldOfView_mm=xsd.fieldOfViewMm(
            x=header_number(extent[0]),
            y=header_number(extent[1]),
            z=recipe.slice_thickness if slab is None else header_number(slab.field_of_view_encoded),
        ),
    )


def _limits(
    recipe: SimulationRecipe, lines: xsd.limitType, partitions: xsd.limitType | None = None, n_contrasts: int = 1
) -> xsd.encodingLimitsType:
    volumes = planned_volumes(recipe)
    return xsd.encodingLimitsType(
        kspace_encoding_step_1=lines,
        kspace_encoding_step_2=partitions or _limit(0),
        average=_limit(0),
        slice=_limit(recipe.n_slices - 1 if recipe.partition_axis is None else 0),
        contrast=_limit(n_contrasts - 1),
        phase=_limit(max(volume.phase for volume in volumes)),
        repetition=_limit(max(volume.repetition for volume in volumes)),
        set=_limit(max(volume.set for volume in volumes)),
        segment=_limit(recipe.n_shots - 1),
    )


def _limit(maximum: int, center: int = 0) -> xsd.limitType:
    return xsd.limitType(minimum=0, maximum=maximum, center=center)


def _epi_description(recipe: EpiRecipe) -> xsd.trajectoryDescriptionType:
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
    return _description("ConventionalEPI", longs, {"dwellTime": 1e6 * recipe.dwell_time}, "simulated EPI")


def _spiral_description(recipe: SpiralRecipe) -> xsd.trajectoryDescriptionType:
    """The unit of the trajectories that come with the readouts, or Gadgetron's words for their design."""
    if recipe.write_trajectory:
        description = _description("AcquisitionTrajectory", {}, {}, "simulated spiral")
        description.userParameterString = [
            xsd.userParameterStringType(name="units", value=recipe.trajectory_units),
        ]
        return description
    spiral = recipe.spiral
    longs = {
        "interleaves": recipe.n_interleaves,
        "fov_coefficients": 1,
        "SamplingTime_ns": round(1e9 * recipe.dwell_time),
    }
    doubles = {
        "MaxGradient_G_per_cm": 100 * spiral.max_gradient,
        "MaxSlewRate_G_per_cm_per_s": 100 * spiral.max_slew_rate,
        "FOVCoeff_1_cm": spiral.field_of_view / 10,
        "krmax_per_cm": 10 * spiral.max_radius,
    }
    return _description("HargreavesVDS2000", longs, doubles, "simulated spiral")


def _description(
    identifier: str, longs: dict[str, int], doubles: dict[str, float], comment: str
) -> xsd.trajectoryDescriptionType:
    return xsd.trajectoryDescriptionType(
        identifier=identifier,
        userParameterLong=[xsd.userParameterLongType(name=name, value=value) for name, value in longs.items()],
        userParameterDouble=[
            xsd.userParameterDoubleType(name=name, value=header_number(value)) for name, value in doubles.items()
        ],
        comment=comment,
    )
