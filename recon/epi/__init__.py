"""Echo-planar imaging: ramp regridding, N/2 ghost correction, phase encoding."""
