"""Training of `av_sync`."""
