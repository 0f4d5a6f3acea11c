"""HTTP: what a failed request says for people."""


def cause(error: BaseException) -> str:
    """The innermost reason, such as `[Errno 111] Connection refused`: what stands around it repeats addresses and the client's insides."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return " ".join(str(error).split()) or type(error).__name__
