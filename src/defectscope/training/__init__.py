"""Training of the learned detectors: corpora, cache, loop, evaluation and export.

Generic over detectors: what one detector brings is a `Recipe` (see `training.contract`).
"""
