"""Analytic multi-coil phantom with known perfusion."""
