"""What a device shows, measured from a capture of it: films whose every frame names itself."""

from defectscope.capture.mezzanine import MezzanineSpec, write_mezzanine
from defectscope.capture.observation import Observation, observe

__all__ = ["MezzanineSpec", "Observation", "observe", "write_mezzanine"]
