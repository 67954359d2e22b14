"""What detectors share to decide over time: spans, tables, level steps, runs, differences."""
