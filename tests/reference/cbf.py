"""What labelled blood does to the signal, by adding up the blood that arrives: the consensus formula's forward model.

Blood of magnetisation M0 / lambda per ml flows at f ml/g/s. Each moment's blood is inverted with efficiency alpha,
decays with the T1 of blood from then on, and all of it is in the voxel at the excitation.
"""

import numpy as np

N_STEPS = 200_000


def delta_m_over_m0_continuous(
    flow: float, delay: float, duration: float, efficiency: float, blood_t1: float, partition: float
) -> float:
    """PCASL or CASL; `flow` in ml/100 g/min."""
    step = duration / N_STEPS
    labelled_at = (np.arange(N_STEPS) + 0.5) * step
    age = duration + delay - labelled_at
    return float(2 * efficiency * flow / 6000 / partition * np.sum(np.exp(-age / blood_t1)) * step)


def delta_m_over_m0_pulsed(
    flow: float, inversion_time: float, cut_off: float, efficiency: float, blood_t1: float, partition: float
) -> float:
    """PASL: all blood is inverted at once, a bolus of `cut_off` seconds enters; `flow` in ml/100 g/min."""
    return float(2 * efficiency * flow / 6000 / partition * cut_off * np.exp(-inversion_time / blood_t1))
