"""The ElevenLabs speech-to-text API, as its official SDKs speak it."""
