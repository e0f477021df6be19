"""Arterial spin labelling: subtraction, running statistics, M0, blood flow."""
