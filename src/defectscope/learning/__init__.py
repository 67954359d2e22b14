"""The loop: what reports leave open is reviewed, and the labels make the detectors better."""
