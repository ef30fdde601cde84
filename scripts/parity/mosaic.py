"""MosaicML's streaming, without its data sets of pictures, which want torchvision."""

import sys
import types

for name in ["multimodal", "text", "vision"]:
    sys.modules["streaming." + name] = types.ModuleType("streaming." + name)

from streaming import MDSWriter, StreamingDataset  # noqa: E402, F401
