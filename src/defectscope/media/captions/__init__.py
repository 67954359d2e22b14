"""Readers of captions, one format each; `defectscope.media.sidecar` picks one by content."""
