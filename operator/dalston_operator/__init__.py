"""The operator: reconciles transcription jobs, engines and realtime pools."""
