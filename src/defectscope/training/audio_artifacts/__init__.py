"""Training of `audio_artifacts`."""
