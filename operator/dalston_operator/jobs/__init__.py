"""TranscriptionJobs: from a spec to a transcript."""
