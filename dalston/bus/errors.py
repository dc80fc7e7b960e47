"""What can go wrong on the bus."""


class BusUnavailable(Exception):
    """The server cannot be reached, or did not answer in time."""


class QueueFull(Exception):
    """The task stream takes no more messages: try again later."""
