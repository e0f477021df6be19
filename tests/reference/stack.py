"""The transform along the partitions of a stack, term by term in double precision."""

import numpy as np


def stack_slices(partitions, partition_numbers, centre, n_encoded, n_recon, shift=0.0):
    """``n**-0.5 sum_p partition(p) exp(2 pi i k_p (z - n_recon // 2 + shift) / n)``, (n_recon, ...)."""
    images = np.zeros((n_recon, *partitions.shape[1:]), complex)
    for z in range(n_recon):
        for partition, number in zip(partitions, partition_numbers, strict=True):
            turns = (int(number) - centre) * (z - n_recon // 2 + shift) / n_encoded
            images[z] += partition * np.exp(2j * np.pi * turns) / np.sqrt(n_encoded)
    return images


def combined_stack(partitions, weights, *axis):
    """Sum over coils of weights times slices."""
    return np.sum(weights * stack_slices(partitions, *axis), axis=1)
