"""Numerics of perfline: arrays and small frozen parameter objects in, arrays out."""
