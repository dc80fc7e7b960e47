"""Puts modules that lie beside an `engine.py` on the path, as the worker does."""

import sys
from pathlib import Path

ENGINES = Path(__file__).parents[2] / "engines"

sys.path.insert(0, str(ENGINES / "transcribe" / "faster-whisper"))
