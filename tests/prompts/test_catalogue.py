from __future__ import annotations

from pathlib import Path

import pytest

from prompts.catalogue import GENERATED, Catalogue, CatalogueError, Fragment, Variable

MINIMAL = """\
meta: {always_accept: {"4": emergency}, main_order: [1, 0]}
tts_lexicon: {Zalo: da lô}
prompts:
- {id: hello, group: entry, text: "Xin chào."}
sounds: {d_0: không}
"""


def load(folder: Path, text: str) -> Catalogue:
    path = folder / "catalogue.yaml"
    path.write_text(text, encoding="utf-8")
    return Catalogue.load(path)


def with_prompt(prompt: str) -> str:
    return MINIMAL.replace("sounds:", f"- {prompt}\nsounds:")


def test_every_prompt_of_the_catalogue_has_pieces_and_every_fragment_is_built() -> None:
    catalogue = Catalogue.load()
    files = catalogue.files()
    for prompt in catalogue.prompts.values():
        pieces = catalogue.pieces(prompt.id)
        assert pieces
        assert [p.name for p in pieces if isinstance(p, Variable)] == list(prompt.vars)
        assert all(p.file in files for p in pieces if isinstance(p, Fragment))
    assert catalogue.sounds.keys() | catalogue.aliases.keys() <= files.keys()
    assert {"beep", "moh_default", "pause", "digits/1a"} <= files.keys()
    assert all(
        file.text or name in GENERATED for name, file in files.items()
    )


def test_the_rules_of_the_keys_are_read_too() -> None:
    catalogue = Catalogue.load()
    assert catalogue.always_accept == {"4": "emergency"}
    assert catalogue.main_order[:2] == ("1", "2")
    assert catalogue.nav_keys["0"] == "agent"
    assert not catalogue.prompts["emergency_connecting"].barge_in
    assert catalogue.prompts["greeting_main"].barge_in


def test_a_prompt_with_variables_is_cut_around_them(tmp_path: Path) -> None:
    catalogue = load(
        tmp_path,
        with_prompt(
            '{id: said, group: a, vars: [area, n], text: "Tại {area}, có {n} ca. Gọi qua Zalo."}'
        ),
    )
    assert catalogue.pieces("said") == (
        Fragment("said.1", "Tại"),
        Variable("area"),
        Fragment("said.2", "có"),
        Variable("n"),
        Fragment("said.3", "ca. Gọi qua Zalo."),
    )
    files = catalogue.files()
    assert files["said.3"].text == "ca. Gọi qua da lô."
    # Whole sentences stand in silence, pieces of one flow, a comma is a pause.
    assert (files["hello"].lead_ms, files["hello"].tail_ms) == (150, 150)
    assert (files["said.1"].lead_ms, files["said.1"].tail_ms) == (150, 40)
    assert (files["said.2"].lead_ms, files["said.2"].tail_ms) == (150, 40)
    assert "said" not in files


def test_punctuation_alone_is_no_file(tmp_path: Path) -> None:
    catalogue = load(tmp_path, with_prompt('{id: two, group: a, vars: [a, b], text: "{a}, {b}."}'))
    assert catalogue.pieces("two") == (Variable("a"), Variable("b"))
    assert not [name for name in catalogue.files() if name.startswith("two")]


@pytest.mark.parametrize(
    ("prompt", "fault"),
    [
        ('{id: x, group: a, text: "Gọi {n} giờ."}', "5: x: uses variables"),
        ('{id: x, group: a, vars: [n], text: "Xin chào."}', "5: x: uses variables"),
        ('{id: x, group: a, text: "Gọi 115."}', "5: x: has figures"),
        ('{id: x, group: a, text: "Gọi {N} giờ."}', "5: x: has a brace"),
        ('{id: x, group: a, text: ""}', "5: x: has no text"),
        ("{id: x, group: a}", "5: x: text: must be a text"),
        ('{id: hello, group: a, text: "Xin chào."}', "5: hello: is named twice"),
        ('{id: d_0, group: a, text: "Xin chào."}', "6: d_0: is named twice"),
        ('{id: pause, group: a, text: "Xin chào."}', "5: pause: is named twice"),
        ('{id: ../x, group: a, text: "Xin chào."}', "5: id: '../x' is not of the form"),
        (
            '{id: x, group: a, text: "Xin chào.", colour: red}',
            "5: x: has an unknown field 'colour'",
        ),
        ('{id: x, group: a, text: "Xin chào.", text: "Chào."}', "5: text: is named twice"),
        ('{id: x, group: a, text: "Xin\\nchào."}', "5: x: text: has a line break"),
        ('{id: x, group: a, barge_in: maybe, text: "Chào."}', "5: x: must be true or false"),
        (f'{{id: x, group: a, text: "{"rất " * 23}dài."}}', "5: x: has a sentence of 24 syllables"),
        ("[x]", "5: prompt: must be a mapping"),
    ],
)
def test_a_fault_is_named_with_file_line_and_id(tmp_path: Path, prompt: str, fault: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        load(tmp_path, with_prompt(prompt))
    assert any(f"catalogue.yaml:{fault}" in line for line in caught.value.faults)


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    text = MINIMAL.replace("Xin chào", "Gọi 115").replace("không", "''").replace('"4"', "A")
    with pytest.raises(CatalogueError) as caught:
        load(tmp_path, text)
    assert len(caught.value.faults) == 3


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "prompts: is missing"),
        ("prompts: [", "is not YAML"),
        ("- a\n- b\n", ":1: the catalogue: must be a mapping"),
        (MINIMAL + "extra: {}\n", ":6: extra: is no section"),
        (MINIMAL.replace("prompts:\n-", "prompts: &p\n- *p\n-"), "prompt: must be a mapping"),
    ],
)
def test_what_is_no_catalogue_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(CatalogueError, match=fault):
        load(tmp_path, text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"absent\.yaml: cannot be read"):
        Catalogue.load(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"prompts: \xe9\n")
    with pytest.raises(CatalogueError, match="not UTF-8"):
        Catalogue.load(tmp_path / "latin.yaml")
