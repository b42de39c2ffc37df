"""What is refused of what people write of citizens."""

from crm.errors import HotlineError


class ContactError(HotlineError):
    """What was written of a citizen is not kept. `code`: name, note, language, stale; same,
    together, alone, many, reason."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code
