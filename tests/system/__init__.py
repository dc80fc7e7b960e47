"""The whole system: real processes, real speech, official clients, and things that go wrong."""
