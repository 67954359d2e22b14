"""Training of `block_corruption`."""
