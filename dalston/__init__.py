"""Dalston: speech-to-text on your own Kubernetes cluster; the library shared by its parts."""

__version__ = "0.1.0"
