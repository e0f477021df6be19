"""MRD (ISMRMRD) messages, headers and sessions."""
