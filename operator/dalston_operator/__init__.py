"""The operator: reconciles TranscriptionJobs and Engines through JetStream and batch/v1 Jobs."""
