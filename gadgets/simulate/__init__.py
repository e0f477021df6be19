"""Write simulated raw data as MRD files."""
