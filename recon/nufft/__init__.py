"""The planned non-uniform Fourier transform of spiral and other trajectories."""

from perfline.recon.nufft.incremental import IncrementalAdjoint
from perfline.recon.nufft.off_resonance import OffResonancePlan, off_resonance_plans
from perfline.recon.nufft.plan import NufftPlan
from perfline.recon.nufft.toeplitz import NormalOperator

__all__ = ["IncrementalAdjoint", "NormalOperator", "NufftPlan", "OffResonancePlan", "off_resonance_plans"]
