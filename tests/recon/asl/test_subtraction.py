import numpy as np
import pytest
from numpy.typing import NDArray
from reference.subtraction import mean_of_neighbours, subtract_along_phase, subtract_magnitudes

from perfline.recon.asl import kernels
from perfline.recon.asl.subtraction import subtract, surround_mean
from perfline.recon.errors import InputError
from perfline.recon.parameters import SubtractionDomain

SHAPE = (2, 5, 7)
DOMAINS = [SubtractionDomain.MAGNITUDE, SubtractionDomain.COMPLEX]
TWINS = {SubtractionDomain.MAGNITUDE: subtract_magnitudes, SubtractionDomain.COMPLEX: subtract_along_phase}


def random_image(seed: int, shape: tuple[int, ...] = SHAPE) -> NDArray[np.complex64]:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)


@pytest.mark.parametrize("domain", DOMAINS)
def test_equals_twin(domain: SubtractionDomain) -> None:
    control, label = random_image(1), random_image(2)
    difference = subtract(control, label, domain)
    assert difference.dtype == np.float32
    # double precision inside; float32 rounding of the result
    np.testing.assert_allclose(difference, TWINS[domain](control, label), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("domain", DOMAINS)
def test_small_difference_of_large_images_keeps_its_digits(domain: SubtractionDomain) -> None:
    phase = np.exp(1j * np.angle(random_image(3)))
    label = (1000 * phase).astype(np.complex64)
    control = (1010 * phase).astype(np.complex64)
    # the float32 input is exact to 6e-8 * 1000
    np.testing.assert_allclose(subtract(control, label, domain), 10, atol=2e-4)


@pytest.mark.parametrize("domain", DOMAINS)
def test_exchange_changes_the_sign(domain: SubtractionDomain) -> None:
    control, label = random_image(4), random_image(5)
    np.testing.assert_array_equal(subtract(control, label, domain), -subtract(label, control, domain))


@pytest.mark.parametrize("domain", DOMAINS)
def test_phase_of_the_object_does_not_matter(domain: SubtractionDomain) -> None:
    control, label, phase = random_image(6), random_image(7), np.exp(1j * np.angle(random_image(8)))
    turned = subtract((control * phase).astype(np.complex64), (label * phase).astype(np.complex64), domain)
    # float32 rounding of the turned images
    np.testing.assert_allclose(turned, subtract(control, label, domain), atol=2e-6)


def test_complex_difference_of_drifted_phase_is_over_the_cosine_of_half_of_it() -> None:
    control, label = np.full(SHAPE, 101 * np.exp(0.3j), np.complex64), np.full(SHAPE, 99, np.complex64)
    difference = subtract(control, label, SubtractionDomain.COMPLEX)
    # |C + L| = 200 cos(0.15) but for (2 / 200)^2 tan(0.15)^2 / 2 = 1e-6 of it
    np.testing.assert_allclose(difference, 2 / np.cos(0.15), rtol=1e-5)


@pytest.mark.parametrize(("domain", "lost"), [(SubtractionDomain.MAGNITUDE, 0.5), (SubtractionDomain.COMPLEX, 0.25)])
def test_noise_lowers_the_difference_by_the_documented_share(domain: SubtractionDomain, lost: float) -> None:
    signal, perfusion, n = 6.0, 1.0, 400_000
    control = (signal + perfusion / 2 + random_image(9, (n,))).astype(np.complex64)
    label = (signal - perfusion / 2 + random_image(10, (n,))).astype(np.complex64)
    mean = subtract(control, label, domain).mean(dtype=np.float64)
    # standard error sqrt(2 / n) = 0.0022, 3 of them; the expected loss is 0.014 or 0.007
    assert mean == pytest.approx(perfusion * (1 - lost / signal**2), abs=0.0067)


@pytest.mark.parametrize("domain", DOMAINS)
def test_pure_noise_has_mean_zero(domain: SubtractionDomain) -> None:
    difference = subtract(random_image(11, (400_000,)), random_image(12, (400_000,)), domain)
    # the standard error is below sqrt(2 / 400,000) = 0.0022, 4 of them
    assert abs(difference.mean(dtype=np.float64)) < 0.009


def test_opposite_images_have_no_common_phase() -> None:
    control = random_image(13)
    np.testing.assert_array_equal(subtract(control, -control, SubtractionDomain.COMPLEX), 0)


@pytest.mark.parametrize("domain", DOMAINS)
def test_output_buffer_and_inputs(domain: SubtractionDomain) -> None:
    control, label = random_image(14), random_image(15)
    copies = control.copy(), label.copy()
    out = np.full(SHAPE, np.nan, np.float32)
    assert subtract(control, label, domain, out) is out
    np.testing.assert_array_equal(out, subtract(control, label, domain))
    np.testing.assert_array_equal(control, copies[0])
    np.testing.assert_array_equal(label, copies[1])


@pytest.mark.parametrize("domain", DOMAINS)
def test_surround_mean_equals_twin(domain: SubtractionDomain) -> None:
    before, after = random_image(22), random_image(23)
    expected = mean_of_neighbours(before, after, domain == SubtractionDomain.COMPLEX)
    # double precision inside; float32 rounding of the result
    np.testing.assert_allclose(surround_mean(before, after, domain), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("drift", [0.0, 0.4])
def test_surround_is_the_mean_of_two_pairwise_differences(domain: SubtractionDomain, drift: float) -> None:
    phase = np.exp(1j * np.angle(random_image(16)))
    rng = np.random.default_rng(17)
    before = ((100 + rng.normal(size=SHAPE)) * phase).astype(np.complex64)
    after = ((103 + rng.normal(size=SHAPE)) * phase * np.exp(1j * drift)).astype(np.complex64)
    label = ((99 + rng.normal(size=SHAPE)) * phase * np.exp(0.5j * drift)).astype(np.complex64)
    surround = subtract(surround_mean(before, after, domain), label, domain)
    pairwise = (subtract(before, label, domain) + subtract(after, label, domain)) / 2
    if domain == SubtractionDomain.MAGNITUDE:
        # float32 rounding of images of 100
        np.testing.assert_allclose(surround, pairwise, atol=2e-5)
    else:
        # the root mean square is larger than the mean by d^2 / 8A; cos(0.1) = 0.995 of up to 6 is left out
        second_order = (np.abs(before) - np.abs(after)) ** 2 / 800
        np.testing.assert_allclose(surround, pairwise + second_order, atol=0.03 if drift else 2e-3)


def test_surround_mean_is_of_magnitudes_by_default_and_has_the_phase_between() -> None:
    before, after = np.full(SHAPE, 3 * np.exp(0.2j), np.complex64), np.full(SHAPE, 5 * np.exp(0.2j), np.complex64)
    # float32 rounding
    np.testing.assert_allclose(surround_mean(before, after), 4 * np.exp(0.2j), rtol=1e-6)
    turned = np.full(SHAPE, 3 * np.exp(0.6j), np.complex64)
    np.testing.assert_allclose(surround_mean(before, turned), 3 * np.exp(0.4j), rtol=1e-6)


@pytest.mark.parametrize("domain", DOMAINS)
def test_surround_mean_of_opposite_phases_is_zero(domain: SubtractionDomain) -> None:
    before = random_image(18)
    np.testing.assert_array_equal(surround_mean(before, -before, domain), 0)


def test_warm_up_compiles_what_a_scan_calls() -> None:
    kernels.warm_up()
    called = [kernels.subtract_along_phase, kernels.subtract_magnitudes, kernels.mean_of_neighbours]
    before = [len(getattr(kernel, "signatures", [])) for kernel in called]
    for domain in DOMAINS:
        subtract(random_image(19), random_image(20), domain)
        surround_mean(random_image(19), random_image(20), domain)
    assert [len(getattr(kernel, "signatures", [])) for kernel in called] == before


def test_bad_input() -> None:
    image = random_image(21)
    with pytest.raises(InputError, match=r"label: expected \(2, 5, 7\), got \(5, 7\)"):
        subtract(image, image[0], SubtractionDomain.MAGNITUDE)
    with pytest.raises(InputError, match="control: expected C-contiguous complex64, got C-contiguous float64"):
        subtract(np.abs(image).astype(float), image, SubtractionDomain.MAGNITUDE)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="label: expected C-contiguous complex64, got strided"):
        subtract(image, np.asfortranarray(image), SubtractionDomain.COMPLEX)
    with pytest.raises(InputError, match=r"out: expected \(2, 5, 7\), got \(2, 7, 5\)"):
        subtract(image, image, SubtractionDomain.COMPLEX, np.empty((2, 7, 5), np.float32))
    with pytest.raises(InputError, match="out: expected C-contiguous float32, got float64"):
        subtract(image, image, SubtractionDomain.COMPLEX, np.empty(SHAPE))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"domain: expected one of \['magnitude', 'complex'\], got 'phase'"):
        subtract(image, image, "phase")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"after: expected \(2, 5, 7\), got \(5, 7\)"):
        surround_mean(image, image[0])
    with pytest.raises(InputError, match="domain: expected one of"):
        surround_mean(image, image, "phase")  # type: ignore[arg-type]
