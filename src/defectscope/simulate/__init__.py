"""Defects made on purpose, with their truth, for testing and training detectors.

One module per defect. Each draws its parameters apart from applying them, works from an explicit
seed, and says where the damage really lies. `defectscope.simulate.registry` finds them by name;
`defectscope.simulate.run.simulate_file` impairs a file; the `impair_*` functions of
`defectscope.simulate.effects.arrays` impair what is already in memory.
"""
