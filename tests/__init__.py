"""Tests: the folders mirror the packages; the modules here provide recordings, servers and deadlines."""
