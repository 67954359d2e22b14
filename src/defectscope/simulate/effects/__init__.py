"""Ways to change frames, sound and captions that several defects use."""
