import numpy as np
from delay_series import M0, PCASL, in_counts, truth

from perfline.recon.asl import multi_delay_kernels as kernels
from perfline.recon.asl.fit_status import FitStatus
from perfline.recon.asl.kinetic_model import tissue_signal
from perfline.recon.asl.multi_delay import MultiDelayPlan

SHAPE = (2, 3, 7)


def test_only_the_listed_voxels_are_written() -> None:
    cbf, att = truth(SHAPE)
    delta_m, m0 = in_counts(tissue_signal(PCASL, cbf, att, 1.3))
    plan = MultiDelayPlan(PCASL, np.ones(SHAPE, bool), 1.3)
    data, out = plan.data(delta_m, m0, np.ones(6)), plan.output()
    voxels = np.array([3, 17, 18, 40])
    kernels.fit_voxels(1, 3, voxels, plan._model, data, out)
    fitted = np.flatnonzero(out.status != FitStatus.OUTSIDE_MASK)
    assert fitted.tolist() == [17, 18]
    # float32 data
    np.testing.assert_allclose(6000 * out.values[0, fitted], cbf.ravel()[fitted], rtol=1e-4)
    assert np.isnan(np.delete(out.values, fitted, axis=1)).all()


def test_threads_give_the_bits_of_one() -> None:
    cbf, att = truth(SHAPE)
    ratio = tissue_signal(PCASL, cbf, att, 1.3)
    delta_m, m0 = in_counts(ratio + 1e-3 * np.random.default_rng(7).normal(size=ratio.shape))
    plan = MultiDelayPlan(PCASL, np.ones(SHAPE, bool), 1.3)
    data, serial, parallel = plan.data(delta_m, m0, np.full(6, (1e-3 * M0) ** 2)), plan.output(), plan.output()
    kernels.fit_voxels(0, plan.voxels.size, plan.voxels, plan._model, data, serial)
    kernels.fit_parallel(3, plan.voxels, plan._model, data, parallel)
    for one, other in zip(serial, parallel, strict=True):
        np.testing.assert_array_equal(one, other)


def test_warm_up_compiles_what_a_scan_needs() -> None:
    kernels.warm_up()
    before = [len(getattr(one, "signatures", [])) for one in (kernels.fit_voxels, kernels.fit_parallel)]
    delta_m, m0 = in_counts(tissue_signal(PCASL, np.full(SHAPE, 60.0), 1.0, 1.3))
    plan = MultiDelayPlan(PCASL, np.ones(SHAPE, bool), 1.3)
    for n_threads in (1, 2):
        plan.fit(delta_m, m0, np.ones((6, *SHAPE)), att_prior=(m0, m0), n_threads=n_threads)
    assert [len(getattr(one, "signatures", [])) for one in (kernels.fit_voxels, kernels.fit_parallel)] == before
