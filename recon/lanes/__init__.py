"""Sixteen transforms side by side in one vector register: the type, its Fourier transform."""
