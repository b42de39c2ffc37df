"""The catalogue: every sentence and word that callers may hear, loaded from one YAML file.

A prompt with variables ("Mã số là {case_code}.") is cut into fragments of fixed text, each a sound
file `<id>.1`, `<id>.2`, ..., between which the dialplan plays the files of the variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import yaml

from crm.errors import HotlineError
from prompts.speller import PAUSE

CATALOGUE_FILE = Path(__file__).with_name("catalogue.vi.yaml")

LANGUAGE = "vi"  # also the folder of the sounds

BEEP = "beep"
MUSIC = "moh_default"
LISTENING = "listening"  # silence that is sent while somebody leaves a message
LEAD_IN = "lead_in"  # silence before the first word: carriers cut off what is said sooner
IN_REVIEW = "medical_in_review"  # said in place of a medical text that no doctor has approved
GENERATED = frozenset({BEEP, LEAD_IN, LISTENING, MUSIC, PAUSE})  # made by the builder, not spoken

SENTENCE_SYLLABLES = 22
PROMPT_PAD_MS = 150
INNER_PAD_MS = 40

_SECTIONS = {
    "meta", "tts_lexicon", "prompts", "sms_templates", "sounds", "asterisk_aliases",
    "southern_variant",
}  # fmt: skip
_PROMPT_FIELDS = {"id", "group", "text", "vars", "barge_in", "medical", "note"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ALIAS = re.compile(r"digits/[a-z0-9-]{1,32}")
_KEY = re.compile(r"[0-9*#]")
_VARIABLE = re.compile(r"\{([a-z_]+)\}")
_PUNCTUATION = ".,:;!?"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class CatalogueError(HotlineError):
    """The catalogue cannot be used. Each of `faults` is `FILE:LINE: what: why`."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Prompt:
    """One script.

    `barge_in`: a key may interrupt it. `medical`: played only when a doctor has approved it.
    """

    id: str
    group: str
    text: str
    vars: tuple[str, ...] = ()
    barge_in: bool = True
    medical: bool = False
    note: str = ""


@dataclass(frozen=True)
class Fragment:
    """A piece of a prompt that is one sound file."""

    file: str
    text: str


@dataclass(frozen=True)
class Variable:
    """A piece of a prompt that is filled in during the call."""

    name: str


@dataclass(frozen=True)
class Utterance:
    """One sound file to build: the words as an engine gets them, and the silence around them."""

    name: str
    text: str
    lead_ms: int
    tail_ms: int
    medical: bool = False


@dataclass(frozen=True)
class Catalogue:
    """All scripts by id, all words by sound name, and the keys that the scripts name."""

    prompts: Mapping[str, Prompt]
    sounds: Mapping[str, str]
    aliases: Mapping[str, str]
    lexicon: Mapping[str, str]
    always_accept: Mapping[str, str]
    nav_keys: Mapping[str, str]
    main_order: tuple[str, ...]

    @classmethod
    def load(cls, path: Path = CATALOGUE_FILE) -> Catalogue:
        """Read and check a catalogue; once, for as long as its file is as it was. Raises
        CatalogueError with every fault found."""
        try:
            return cls._load(path, path.stat().st_mtime_ns)
        except OSError as error:
            raise CatalogueError([f"{path}: cannot be read: {error.strerror}"]) from error

    @classmethod
    @lru_cache(2)
    def _load(cls, path: Path, _changed: int) -> Catalogue:
        try:
            root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_LOADER)
        except UnicodeDecodeError as error:
            raise CatalogueError([f"{path}: is not UTF-8 text"]) from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark else ""
            problem = getattr(error, "problem", None) or "unreadable characters"
            raise CatalogueError([f"{path}{line}: is not YAML: {problem}"]) from error
        reader = _Reader(path)
        catalogue = reader.catalogue(root)
        if reader.faults:
            raise CatalogueError(reader.faults)
        return catalogue

    def pieces(self, prompt_id: str) -> tuple[Fragment | Variable, ...]:
        """What a prompt is made of, in speaking order. Raises KeyError for an unknown id."""
        prompt = self.prompts[prompt_id]
        if not prompt.vars:
            return (Fragment(prompt.id, prompt.text),)
        return tuple(piece for piece, _, _ in self._cut(prompt))

    def files(self) -> Mapping[str, Utterance]:
        """Everything to be built, by sound name."""
        return self._files

    @cached_property
    def _files(self) -> dict[str, Utterance]:
        files = [Utterance(name, "", 0, 0) for name in sorted(GENERATED)]
        for prompt in self.prompts.values():
            if prompt.vars:
                files += [
                    self._utterance(piece.file, piece.text, lead, tail)
                    for piece, lead, tail in self._cut(prompt)
                    if isinstance(piece, Fragment)
                ]
            elif prompt.id not in GENERATED:
                file = self._utterance(prompt.id, prompt.text, PROMPT_PAD_MS, PROMPT_PAD_MS)
                files.append(replace(file, medical=prompt.medical))
        for name, words in [*self.sounds.items(), *self.aliases.items()]:
            files.append(self._utterance(name, words, INNER_PAD_MS, INNER_PAD_MS))
        return {utterance.name: utterance for utterance in files}

    def as_read(self, text: str) -> str:
        """A text with the words that engines get wrong written as they are said."""
        if not self.lexicon:
            return text
        terms = sorted(self.lexicon, key=len, reverse=True)
        pattern = rf"(?<!\w)({'|'.join(map(re.escape, terms))})(?!\w)"
        return re.sub(pattern, lambda match: self.lexicon[match[0]], text)

    def _utterance(self, name: str, text: str, lead_ms: int, tail_ms: int) -> Utterance:
        return Utterance(name, self.as_read(text), lead_ms, tail_ms)

    @staticmethod
    def _cut(prompt: Prompt) -> Iterator[tuple[Fragment | Variable, int, int]]:
        """The pieces of a prompt with variables, and the silence (ms) before and after each.

        Beside a variable the silence is short so that the sentence flows, unless punctuation
        asks for a pause there. Fixed text of punctuation alone is no piece.
        """
        parts = _VARIABLE.split(prompt.text)  # text, name, text, name, ..., text
        number = 0
        for place, part in enumerate(parts):
            if place % 2:
                yield Variable(part), 0, 0
                continue
            text = part.strip().lstrip(_PUNCTUATION).strip()
            if not text:
                continue
            number += 1
            pause_before = place == 0 or part.lstrip()[0] in _PUNCTUATION
            pause_after = place == len(parts) - 1 or text[-1] in _PUNCTUATION
            yield (
                Fragment(f"{prompt.id}.{number}", text),
                PROMPT_PAD_MS if pause_before else INNER_PAD_MS,
                PROMPT_PAD_MS if pause_after else INNER_PAD_MS,
            )


class _Reader:
    """Walks the nodes of the YAML file and notes every fault with its line."""

    def __init__(self, path: Path) -> None:
        self.faults: list[str] = []
        self._path = path
        self._names: set[str] = set()

    def catalogue(self, root: yaml.Node | None) -> Catalogue:
        sections = self._mapping(root, "the catalogue")
        for name, node in sections.items():
            if name not in _SECTIONS:
                self._fault(node, name, "is no section of a catalogue")
        for name in ("prompts", "sounds"):
            if name not in sections:
                self._fault(root, name, "is missing")
        meta = self._mapping(sections.get("meta"), "meta")
        default = self._flag(meta.get("barge_in_default"), "barge_in_default", default=True)
        return Catalogue(
            prompts=self._prompts(sections.get("prompts"), default),
            sounds=self._words(sections.get("sounds"), "sounds", _NAME),
            aliases=self._words(sections.get("asterisk_aliases"), "asterisk_aliases", _ALIAS),
            lexicon=self._lexicon(sections.get("tts_lexicon")),
            always_accept=self._keys(meta.get("always_accept"), "always_accept"),
            nav_keys=self._keys(meta.get("nav_keys"), "nav_keys"),
            main_order=tuple(
                self._text(node, "main_order", _KEY)
                for node in self._list(meta.get("main_order"), "main_order")
            ),
        )

    def _prompts(self, section: yaml.Node | None, barge_in: bool) -> dict[str, Prompt]:
        prompts = {}
        for node in self._list(section, "prompts"):
            fields = self._mapping(node, "prompt")
            prompt_id = self._text(fields.get("id", node), "id", _NAME)
            self._name_once(node, prompt_id)
            for name, value in fields.items():
                if name not in _PROMPT_FIELDS:
                    self._fault(value, prompt_id, f"has an unknown field {name!r}")
            prompt = Prompt(
                id=prompt_id,
                group=self._text(fields.get("group", node), f"{prompt_id}: group", _NAME),
                text=self._text(fields.get("text", node), f"{prompt_id}: text"),
                vars=tuple(
                    self._text(value, f"{prompt_id}: vars", _NAME)
                    for value in self._list(fields.get("vars"), f"{prompt_id}: vars")
                ),
                barge_in=self._flag(fields.get("barge_in"), prompt_id, default=barge_in),
                medical=self._flag(fields.get("medical"), prompt_id, default=False),
                note=self._text(fields["note"], f"{prompt_id}: note") if "note" in fields else "",
            )
            self._check_script(node, prompt)
            prompts[prompt_id] = prompt
        if any(prompt.medical for prompt in prompts.values()) and IN_REVIEW not in prompts:
            self._fault(section, IN_REVIEW, "is missing: it stands in for unapproved medical texts")
        return prompts

    def _check_script(self, node: yaml.Node, prompt: Prompt) -> None:
        """The speaking rules: variables as declared, no figures, no long sentences."""
        used = _VARIABLE.findall(prompt.text)
        plain = _VARIABLE.sub("", prompt.text)
        if sorted(used) != sorted(prompt.vars):
            self._fault(node, prompt.id, f"uses variables {used} but declares {list(prompt.vars)}")
        if "{" in plain or "}" in plain:
            self._fault(node, prompt.id, "has a brace that is no {variable}")
        if prompt.medical and prompt.vars:
            self._fault(node, prompt.id, "is medical: variables cannot be approved")
        if re.search(r"\d", plain):
            self._fault(node, prompt.id, "has figures: numbers are written as words")
        if not prompt.text.strip() and prompt.id not in GENERATED:
            self._fault(node, prompt.id, "has no text")
        for sentence in re.split(r"[.!?]", plain):
            if (syllables := len(sentence.split())) > SENTENCE_SYLLABLES:
                self._fault(
                    node,
                    prompt.id,
                    f"has a sentence of {syllables} syllables, more than {SENTENCE_SYLLABLES}",
                )

    def _words(
        self, section: yaml.Node | None, what: str, pattern: re.Pattern[str]
    ) -> dict[str, str]:
        words = {}
        for name, node in self._mapping(section, what).items():
            if not pattern.fullmatch(name):
                self._fault(node, name, f"is no name for a sound in {what}")
            self._name_once(node, name)
            words[name] = self._text(node, name)
            if not words[name].strip():
                self._fault(node, name, "has no words")
        return words

    def _lexicon(self, section: yaml.Node | None) -> dict[str, str]:
        nodes = self._mapping(section, "tts_lexicon")
        return {term: self._text(node, term) for term, node in nodes.items()}

    def _keys(self, section: yaml.Node | None, what: str) -> dict[str, str]:
        keys = self._mapping(section, what)
        for key, node in keys.items():
            if not _KEY.fullmatch(key):
                self._fault(node, what, f"{key!r} is no key of a telephone")
        return {key: self._text(node, what, _NAME) for key, node in keys.items()}

    def _name_once(self, node: yaml.Node, name: str) -> None:
        if name in self._names or name == PAUSE:
            self._fault(node, name, "is named twice")
        self._names.add(name)

    def _mapping(self, node: yaml.Node | None, what: str) -> dict[str, yaml.Node]:
        if node is None:
            return {}
        if not isinstance(node, yaml.MappingNode):
            self._fault(node, what, "must be a mapping")
            return {}
        entries: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = self._text(key, what)
            if name in entries:
                self._fault(key, name, "is named twice")
            entries[name] = value
        return entries

    def _list(self, node: yaml.Node | None, what: str) -> list[yaml.Node]:
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self._fault(node, what, "must be a list")
            return []
        return list(node.value)

    def _text(self, node: yaml.Node, what: str, pattern: re.Pattern[str] | None = None) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self._fault(node, what, "must be a text")
            return ""
        value = str(node.value)
        if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", value):
            self._fault(node, what, "has a line break or control character")
        if pattern and not pattern.fullmatch(value):
            self._fault(node, what, f"{value!r} is not of the form {pattern.pattern}")
        return value

    def _flag(self, node: yaml.Node | None, what: str, *, default: bool) -> bool:
        if node is None:
            return default
        if node.value not in ("true", "false"):
            self._fault(node, what, "must be true or false")
        return bool(node.value == "true")

    def _fault(self, node: yaml.Node | None, what: str, why: str) -> None:
        line = node.start_mark.line + 1 if node is not None else 1
        self.faults.append(f"{self._path}:{line}: {what}: {why}")
