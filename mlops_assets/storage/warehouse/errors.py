"""What the warehouse raises, whatever engine is behind it. Messages name the engine's address, never a password."""


class WarehouseError(RuntimeError):
    """The warehouse cannot be reached, cannot be read, or refuses a statement."""


class AbortedError(WarehouseError):
    """The engine gave the transaction up in favour of another one: nothing of it is stored, and it may be tried again."""
