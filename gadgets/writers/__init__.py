"""What leaves a scan: MRD images, NIfTI with BIDS sidecars, montage, summary."""
