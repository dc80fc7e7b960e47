"""The gateway: the public HTTP and WebSocket interfaces of Dalston."""
