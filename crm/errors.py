"""The one kind of fault that is expected."""


class HotlineError(Exception):
    """Something an operator can mend. The message says what is wrong and what to do, in a
    sentence; the command line shows it without a traceback."""
