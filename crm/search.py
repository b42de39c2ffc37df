"""Search by words, accents or not, in the full-text index of either database.

What is found stands in four sets of words: with and without accents, in the title and anywhere.
Each word is kept with a prefix that names its kind and its set, so that a search is a few look-ups
of whole words in an index, the best set first, and never weighs all that fits. On SQLite the index
is an FTS5 table, on PostgreSQL a tsvector with GIN; both hold the words that are made here, and
neither ever parses what people type.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.vietnamese import accented, folded


class Kind(StrEnum):
    """What can be searched for."""

    ARTICLE = "article"
    POINT = "point"
    CASE = "case"


_LETTERS = {Kind.ARTICLE: "a", Kind.POINT: "p", Kind.CASE: "c"}
_NUMBERS = {Kind.ARTICLE: 1, Kind.POINT: 2, Kind.CASE: 3}
_KINDS = 8  # a row of the index is id * _KINDS + the number of its kind
TITLE_EXACT, TITLE, EXACT, ANYWHERE = "1234"  # the sets, the best first
LONGEST_TITLE, LONGEST_BODY = 1_000, 20_000  # letters; a tsvector holds 1 MB
LONGEST_QUERY = 200
MOST_WORDS = 8  # of a query
LONGEST_WORD = 40
NEWEST = 5_000  # rows that are looked through without an index
FEW = 1_000  # rows that are sorted here
SHORTEST_BEGINNING = 2  # letters of a last word that may be the beginning of a longer one


def put(session: Session, kind: Kind, id_: int, title: str, body: str) -> None:
    """Let something be found by the words of its title and body, in place of what it had before."""
    words = " ".join(sorted(_indexed(kind, title[:LONGEST_TITLE], body[:LONGEST_BODY])))
    row = {"id": id_ * _KINDS + _NUMBERS[kind], "words": words}
    if _is_sqlite(session):
        session.execute(text("DELETE FROM search_text WHERE rowid = :id"), row)
        session.execute(text("INSERT INTO search_text (rowid, words) VALUES (:id, :words)"), row)
    else:
        session.execute(text(
            "INSERT INTO search_text (id, words)"
            " VALUES (:id, array_to_tsvector(string_to_array(:words, ' ')))"
            " ON CONFLICT (id) DO UPDATE SET words = excluded.words"
        ), row)


def put_all(session: Session, kind: Kind, texts: Sequence[tuple[int, str, str]]) -> None:
    """Let many be found that were not there before: ids, titles and bodies."""
    rows = [
        {"id": id_ * _KINDS + _NUMBERS[kind],
         "words": " ".join(sorted(_indexed(kind, title[:LONGEST_TITLE], body[:LONGEST_BODY])))}
        for id_, title, body in texts
    ]
    session.execute(text(
        "INSERT INTO search_text (rowid, words) VALUES (:id, :words)" if _is_sqlite(session) else
        "INSERT INTO search_text (id, words)"
        " VALUES (:id, array_to_tsvector(string_to_array(:words, ' ')))"
    ), rows)


def remove(session: Session, kind: Kind, id_: int) -> None:
    """Let it be found no more."""
    column = "rowid" if _is_sqlite(session) else "id"
    session.execute(
        text(f"DELETE FROM search_text WHERE {column} = :id"),  # noqa: S608 - one of two words
        {"id": id_ * _KINDS + _NUMBERS[kind]},
    )


def find(session: Session, kind: Kind, query: str, limit: int = 20) -> list[int]:
    """The ids of what has all words of a query, the last one perhaps only begun: in the title
    before elsewhere, with the same accents before others, the newest first. None for a query
    without words."""
    found: dict[int, None] = {}
    for terms in _asked(kind, query[:LONGEST_QUERY]):
        if len(found) >= limit:
            break
        found |= dict.fromkeys(row // _KINDS for row in _matching(session, terms, limit))
    return list(found)[:limit]


def _indexed(kind: Kind, title: str, body: str) -> set[str]:
    both = f"{title} {body}"
    return {
        _term(kind, place, word)
        for place, words in (
            (TITLE_EXACT, accented(title)), (TITLE, folded(title)),
            (EXACT, accented(both)), (ANYWHERE, folded(both)),
        )
        for word in words.split()
    }


def _asked(kind: Kind, query: str) -> Iterator[list[tuple[str, bool]]]:
    """For each set the terms that are all wanted, and whether the term is a beginning."""
    plain, exact = folded(query).split()[:MOST_WORDS], accented(query).split()[:MOST_WORDS]
    for place in (TITLE_EXACT, TITLE, EXACT, ANYWHERE):
        words = exact if place in (TITLE_EXACT, EXACT) else plain
        if words:
            last = len(words) - 1
            yield [
                (_term(kind, place, word), number == last and len(word) >= SHORTEST_BEGINNING)
                for number, word in enumerate(words)
            ]


def _term(kind: Kind, place: str, word: str) -> str:
    return f"{_LETTERS[kind]}{place}{word[:LONGEST_WORD]}"


def _matching(session: Session, terms: list[tuple[str, bool]], limit: int) -> list[int]:
    # terms hold letters and digits alone (crm.vietnamese): quoted, they mean nothing but themselves
    if _is_sqlite(session):
        wanted = " AND ".join(f'"{term}"{"*" if begun else ""}' for term, begun in terms)
        statement = (
            "SELECT rowid FROM search_text WHERE search_text MATCH :wanted"
            " ORDER BY rowid DESC LIMIT :limit"
        )
        return list(session.scalars(text(statement), {"wanted": wanted, "limit": limit}))
    wanted = " & ".join(f"'{term}'{':*' if begun else ''}" for term, begun in terms)
    return _matching_on_server(session, wanted, limit)


def _matching_on_server(session: Session, wanted: str, limit: int) -> list[int]:
    """The server cannot tell how many rows have a word that is only begun. What many have stands
    among the newest rows already; of what few have all is sorted here, found by the index; between
    the two the server sorts."""
    given = {"wanted": wanted, "limit": limit, "newest": NEWEST, "most": FEW}
    fits = "words @@ CAST(:wanted AS tsquery)"
    newest = session.scalars(text(
        "SELECT id FROM (SELECT id, words FROM search_text ORDER BY id DESC LIMIT :newest)"  # noqa: S608
        f" AS recent WHERE {fits} ORDER BY id DESC LIMIT :limit"
    ), given).all()
    if len(newest) == limit:
        return list(newest)
    session.execute(text("SET LOCAL enable_seqscan = off"))
    session.execute(text("SET LOCAL enable_indexscan = off"))
    some = session.scalars(
        text(f"SELECT id FROM search_text WHERE {fits} LIMIT :most"), given  # noqa: S608
    ).all()
    session.execute(text("SET LOCAL enable_seqscan = on"))
    session.execute(text("SET LOCAL enable_indexscan = on"))
    if len(some) < FEW:
        return sorted(some, reverse=True)[:limit]
    return list(session.scalars(
        text(f"SELECT id FROM search_text WHERE {fits} ORDER BY id DESC LIMIT :limit"), given  # noqa: S608
    ))


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
