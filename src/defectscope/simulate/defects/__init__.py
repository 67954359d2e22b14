"""One module for each kind of defect, each publishing its simulators."""
