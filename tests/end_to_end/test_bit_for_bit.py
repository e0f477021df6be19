"""One scan gives the same images, bit for bit, whichever way it comes in."""

from dataclasses import replace

import ismrmrd
import numpy as np
import pytest
from end_to_end.hosts import chain_text, node_configurations, node_process, play_gadgetron, run_in_node, serving
from end_to_end.scans import NOISY, PLAIN, run, run_messages, simulated

import perfline.gadgets.asl_subtraction
import perfline.gadgets.cbf_quantification
import perfline.gadgets.epi_recon
import perfline.gadgets.realtime_perfusion
import perfline.gadgets.spiral_recon
from perfline.gadgets.mrd.client import run_client
from perfline.gadgets.mrd.file_session import FileSession
from perfline.gadgets.mrd.images import Series
from perfline.gadgets.mrd.messages import ConfigName, ConfigText, Image
from perfline.gadgets.mrd.meta import decode_meta, encode_meta
from perfline.gadgets.mrd.mrd_file import MrdFile
from perfline.gadgets.simulate.recipes import SPIRAL_RECIPES
from perfline.gadgets.simulate.write_mrd import write_scan

ENTRY_POINTS = {
    "realtime_perfusion": perfline.gadgets.realtime_perfusion.realtime_perfusion,
    "epi_recon": perfline.gadgets.epi_recon.epi_recon,
    "spiral_recon": perfline.gadgets.spiral_recon.spiral_recon,
    "asl_subtraction": perfline.gadgets.asl_subtraction.asl_subtraction,
    "cbf_quantification": perfline.gadgets.cbf_quantification.cbf_quantification,
}

SPIRAL = replace(
    SPIRAL_RECIPES["stack_of_spirals"], n_coils=3, n_slices=6, slice_spacing=28.0, n_interleaves=2, n_shots=2, n_pairs=3
)
"""Control and label taken side by side, noise, decay, an oblique position."""

CASES = {"epi": NOISY, "spiral": SPIRAL}


def as_bytes(images: list[Image]) -> list[tuple[bytes, bytes, str, bytes]]:
    """Header, meta, type and pixels of images as they go on the wire."""
    return [(one.header_bytes(), one.attributes, one.data.dtype.str, one.data.tobytes()) for one in images]


def by_series(images: list[Image]) -> dict[int, list[Image]]:
    """Images of each series in their order; a file does not keep the order between series."""
    series = sorted({one.header.image_series_index for one in images})
    return {number: [one for one in images if one.header.image_series_index == number] for number in series}


@pytest.fixture(scope="module", params=list(CASES))
def case(request) -> str:
    """Name of the recipe, and of the chains for it."""
    return request.param


@pytest.fixture(scope="module")
def recipe(case):
    return CASES[case]


@pytest.fixture(scope="module")
def expected(case, recipe) -> list[Image]:
    outcome = run(simulated(recipe), f"pcasl_{case}")
    assert outcome.summary.status == "success"
    assert outcome.summary.n_pairs == recipe.n_pairs
    images = outcome.session.images
    n_of_series = {Series(number): len(found) // recipe.n_slices for number, found in by_series(images).items()}
    # the M0 volume and its mean; two volumes and three images for each pair
    assert n_of_series == {
        Series.M0: 2,
        Series.MAGNITUDE: 6,
        Series.PERFUSION_WEIGHTED: 3,
        Series.CBF: 3,
        Series.CBF_STANDARD_ERROR: 3,
    }
    # nothing here may be the same because it is empty
    assert all(np.any(one.data) for one in images if one.header.image_series_index != Series.CBF_STANDARD_ERROR)
    return images


def test_memory_again(expected, case, recipe):
    assert as_bytes(run(simulated(recipe), f"pcasl_{case}").session.images) == as_bytes(expected)


def test_file_session(expected, case, recipe, tmp_path):
    write_scan(tmp_path / "raw.h5", recipe)
    outcome = run_messages(FileSession(tmp_path / "raw.h5", out=tmp_path / "images.h5"), f"pcasl_{case}")
    assert (outcome.summary.status, outcome.summary.reason) == ("success", "")
    assert as_bytes(outcome.sink.of(Image)) == as_bytes(expected)
    with MrdFile(tmp_path / "images.h5") as file:
        from_file = {number: as_bytes(found) for number, found in by_series(list(file.images())).items()}
    wanted = {number: as_bytes(found) for number, found in by_series(expected).items()}
    # M0 volumes and their mean share a series of one size and type
    assert from_file == wanted


@pytest.mark.parametrize("kind", ["name", "text", "split"])
def test_server(expected, case, recipe, kind):
    chain = f"pcasl_{case}"
    config = {
        "name": ConfigName(chain),
        "text": ConfigText(chain_text(chain)),
        "split": ConfigName(f"{chain}_split.xml"),
    }[kind]
    scan = simulated(recipe)
    with serving() as (server, summaries):
        result = run_client(server.address, config, scan.header, scan.acquisitions, timeout=30)
    assert (result.failure, result.errors, result.was_closed) == (None, [], True)
    assert [summary.status for summary in summaries] == ["success"]
    assert summaries[0].n_readouts == len(scan.acquisitions)
    assert summaries[0].n_bytes == result.n_bytes
    assert as_bytes(result.images) == as_bytes(expected)


def test_two_scans_on_one_server(expected, case, recipe):
    # nothing of a scan may be left for the next: maps, ghost phases, counters of the images
    scan, other = simulated(recipe), simulated(PLAIN)
    with serving(n_scans=2) as (server, _):
        run_client(server.address, ConfigName("pcasl_epi"), other.header, other.acquisitions, timeout=30)
        result = run_client(server.address, ConfigName(f"pcasl_{case}"), scan.header, scan.acquisitions, timeout=30)
    assert as_bytes(result.images) == as_bytes(expected)


def test_gadgetron_session(expected, case, recipe):
    scan = simulated(recipe)
    ((target, config),) = node_configurations(f"pcasl_{case}")
    answers = run_in_node(ENTRY_POINTS[target], config, scan.header, scan.acquisitions)
    assert answers.was_closed
    assert len(answers.messages) == len(expected) + 1
    assert as_bytes(answers.images) == as_bytes(expected)


@pytest.mark.slow
def test_gadgetron_process(expected, case, recipe):
    scan = simulated(recipe)
    ((target, config),) = node_configurations(f"pcasl_{case}")
    with node_process(f"perfline.gadgets.{target}", target) as connection:
        answers = play_gadgetron(connection, config, scan.header, scan.acquisitions)
    assert answers.was_closed
    assert len(answers.messages) == len(expected) + 1
    assert as_bytes(answers.images) == as_bytes(expected)


def as_gadgetron_passes_it(image: Image) -> Image:
    """Between two nodes the server reads the meta and writes it again, with sorted names."""
    return Image(image.header, encode_meta(dict(sorted(decode_meta(image.attributes).items()))), image.data)


def test_split_chain(expected, case, recipe):
    scan = simulated(recipe)
    # the server also writes the header anew
    header = ismrmrd.xsd.ToXML(ismrmrd.xsd.CreateFromDocument(scan.header)).encode()
    messages = list(scan.acquisitions)
    for target, config in node_configurations(f"pcasl_{case}_split"):
        answers = run_in_node(ENTRY_POINTS[target], config, header, messages)
        assert answers.was_closed
        assert answers.errors == []
        answers.messages = [as_gadgetron_passes_it(image) for image in answers.images]
        messages = answers.images
    # the pixels, and all that the meta tells of them: the item behind an image, parameters and their origins
    assert as_bytes(answers.images) == as_bytes([as_gadgetron_passes_it(image) for image in expected])
