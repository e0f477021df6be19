"""Receive coils: noise whitening, sensitivity maps, combination."""
