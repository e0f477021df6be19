"""Small MRD headers for tests, with any part left out or changed."""

import json

__all__ = ["header_xml", "trapezoid"]

NAMESPACE = "http://www.ismrm.org/ISMRMRD"


def trapezoid(**changes):
    """`trajectoryDescription` of a ramp-sampled readout; a value of None leaves a parameter out."""
    values = {
        "etl": 48,
        "numberOfNavigators": 3,
        "rampUpTime": 160,
        "flatTopTime": 240,
        "rampDownTime": 150,
        "acqDelayTime": 32,
        "numSamples": 160,
        "dwellTime": 3.1,
        **changes,
    }
    parameters = "".join(
        f"<userParameterLong><name>{name}</name><value>{value}</value></userParameterLong>"
        for name, value in values.items()
        if value is not None
    )
    return f"<trajectoryDescription><identifier>ConventionalEPI</identifier>{parameters}</trajectoryDescription>"


def space(matrix, extent):
    sizes = "".join(f"<{axis}>{size}</{axis}>" for axis, size in zip("xyz", matrix, strict=True) if size is not None)
    lengths = "".join(f"<{axis}>{size}</{axis}>" for axis, size in zip("xyz", extent, strict=True) if size is not None)
    return f"<matrixSize>{sizes}</matrixSize><fieldOfView_mm>{lengths}</fieldOfView_mm>"


def user_parameters(values):
    """BIDS-named values as the convention writes them: numbers as doubles, lists as JSON."""
    parts = []
    for name, value in values.items():
        if isinstance(value, bool):
            kind, text = "String", str(value).lower()
        elif isinstance(value, (int, float)):
            kind, text = "Double", repr(value)
        elif isinstance(value, (list, tuple)):
            kind, text = "String", json.dumps(value)
        else:
            kind, text = "String", value
        parts.append(f"<userParameter{kind}><name>{name}</name><value>{text}</value></userParameter{kind}>")
    return f"<userParameters>{''.join(parts)}</userParameters>" if parts else ""


def header_xml(
    *,
    encoded=(96, 64, 1),
    encoded_fov=(240.0, 192.0, 5.0),
    recon=(80, 60, 1),
    recon_fov=(200.0, 180.0, 5.0),
    limits=None,
    trajectory="epi",
    description="",
    acceleration="",
    field_strength="3.0",
    sequence="<TR>4000</TR><TE>14</TE><flipAngle_deg>90</flipAngle_deg>",
    user=None,
    extra="",
    encoding=None,
    namespace=NAMESPACE,
):
    """An MRD header of 2D EPI; `limits` are (minimum, maximum, center) by element name."""
    if limits is None:
        limits = {"kspace_encoding_step_1": (0, 47, 16), "slice": (0, 2, 0), "repetition": (0, 4, 0)}
    limits_xml = "".join(
        f"<{name}><minimum>{low}</minimum><maximum>{high}</maximum><center>{center}</center></{name}>"
        for name, (low, high, center) in limits.items()
    )
    if encoding is None:
        encoding = (
            f"<encoding><trajectory>{trajectory}</trajectory>{description}"
            f"<encodedSpace>{space(encoded, encoded_fov)}</encodedSpace>"
            f"<reconSpace>{space(recon, recon_fov)}</reconSpace>"
            f"<encodingLimits>{limits_xml}</encodingLimits>{acceleration}</encoding>"
        )
    field = f"<systemFieldStrength_T>{field_strength}</systemFieldStrength_T>" if field_strength else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><ismrmrdHeader xmlns="{namespace}">'
        "<measurementInformation><patientPosition>HFS</patientPosition><protocolName>pcasl</protocolName>"
        "</measurementInformation>"
        f"<acquisitionSystemInformation>{field}<receiverChannels>4</receiverChannels></acquisitionSystemInformation>"
        "<experimentalConditions><H1resonanceFrequency_Hz>123000000</H1resonanceFrequency_Hz></experimentalConditions>"
        f"{encoding}<sequenceParameters>{sequence}</sequenceParameters>{user_parameters(user or {})}{extra}"
        "</ismrmrdHeader>"
    ).encode()
