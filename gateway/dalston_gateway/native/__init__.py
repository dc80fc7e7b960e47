"""Dalston's own API: jobs as resources, with progress, events and exports."""
