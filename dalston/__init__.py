"""Dalston: a self-hosted speech-to-text platform for Kubernetes."""
