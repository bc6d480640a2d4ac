"""The entry of a record in the search index: its words, terms and label, made from its representation."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from app.core.model.resource import Resource
from app.core.model.texts import name_texts, other_texts
from app.core.search.about import Facts, Reference, preview_of
from app.core.search.tokens import (
    COUNTED,
    IndexedText,
    Token,
    code_term,
    joined_name,
    label_names,
    line_of,
    link_text,
    name_terms,
    own_phrases,
    own_text,
    phrases,
    token_of,
    tokenize,
)
from app.core.search.vocabulary import ALL_RECORDS, REFERENCE_WORD
from app.core.values.json import from_json

# The version number of the rules that turn a record into an `IndexEntry`. Raise it when an entry changes for the same
# record. `hoptac migrate` then builds the index again.
INDEXING = 8

MAX_RANKED = 4_000  # characters of the texts of a record, and of what it is about, with which queries are compared
MAX_ENTRY_SIZE = 200_000  # characters of the terms of one record; PostgreSQL accepts a megabyte
NOTE = re.compile(r"\.note(\.|$)")  # the path of a remark in a citation, which is not about the record
CODE_LINE = "="  # starts a line with a code of the record


class LinkTexts(dict[str, IndexedText]):
    """The labels to which the records of a batch link, for the index.

    Thousands of records of a batch link to thousands of others, more than `link_text` remembers.
    """

    def __missing__(self, text: str) -> IndexedText:
        indexed = self[text] = link_text(text)
        return indexed


class IndexEntry(NamedTuple):
    """The entry of one record in the index.

    `names`, `texts` and `about` are the folded words that the ranking compares with a query. Each name or phrase is a
    line, and each word has a space before and after it: "\\n ha noi \\n hanoi \\n". `terms` are separated by spaces.
    `preview` is what hits show of the record (see `about`). `words` are those of `terms` that the vocabulary counts.
    """

    names: str
    texts: str
    about: str
    preview: bytes
    terms: str
    words: Collection[str]

    @classmethod
    def of(
        cls,
        resource: Resource,
        record: Mapping[str, Any],
        facts: Facts,
        labels: Mapping[Reference, str],
        link_texts: LinkTexts | None = None,
    ) -> "IndexEntry":
        """Return the entry for a representation, given its facts and the labels of the records that it links to.

        `link_texts` are those of its batch.
        """
        link_texts = LinkTexts() if link_texts is None else link_texts
        own_names = name_texts(resource, record)
        phrases_of_names = [phrases(name) for _, name in own_names]
        names: list[Sequence[Token]] = [
            list(chain.from_iterable(phrases_of_name)) for phrases_of_name in phrases_of_names
        ]
        texts = other_texts(resource, record)
        others = [own_text(text) for path, text in texts if not NOTE.search(path)]
        links_text = [link_texts[text] for text in (resource.one, *facts.texts)]
        links_text += [link_texts[labels.get(reference, "")] for reference in facts.references]
        codes = [record["id"], *(identifier["value"] for identifier in record.get("identifiers", ()))]
        codes += [record[name] for name in resource.unique if record.get(name)]
        tokens_of_codes = list(map(tokenize, codes))
        all_texts = [*map(own_phrases, phrases_of_names), *others, *links_text]
        terms, words = _terms_and_words(names, tokens_of_codes, all_texts)
        naming = [
            labels.get(reference, "") for reference in facts.references if reference.resource in resource.named_by
        ]
        names += chain.from_iterable(map(label_names, naming or [""]))
        names += [[token_of(joined_as_word)] for name in names if (joined_as_word := joined_name(name))]
        return cls(
            _joined(map(line_of, names), MAX_ENTRY_SIZE),
            _joined(chain.from_iterable(text.lines for text in others), MAX_RANKED),
            _joined(chain.from_iterable(text.lines for text in links_text), MAX_RANKED)
            + "".join([CODE_LINE + line_of(code) for code in tokens_of_codes]),
            preview_of(resource, record, own_names, texts),
            terms,
            words,
        )


def _terms_and_words(
    names: Sequence[Sequence[Token]], codes: Sequence[Sequence[Token]], texts: Sequence[IndexedText]
) -> tuple[str, Collection[str]]:
    """Return different terms, and their words that the vocabulary counts.

    If the terms exceed MAX_ENTRY_SIZE, they are the first ones in alphabetical order.
    """
    terms = list(map(code_term, codes))
    words: list[str] = []
    for name in names:
        terms += name_terms(name)
        words.append(joined_name(name))
    for text in texts:
        terms += text.terms
        words += text.words
    different = dict.fromkeys(terms)
    joined = " ".join(different)
    if len(joined) > MAX_ENTRY_SIZE:
        joined = " ".join(sorted(different))[:MAX_ENTRY_SIZE].rpartition(" ")[0]
        return joined, words_in(joined)
    return joined, tuple(filter(None, dict.fromkeys(words)))


def _joined(lines: Iterable[str], size: int) -> str:
    joined = "\n" + "".join(dict.fromkeys(lines))
    return joined if len(joined) <= size else joined[:size].rpartition(" ")[0] + " \n"


def words_in(terms: str) -> set[str]:
    """Return the words and pairs that the vocabulary counts, given the terms of a record."""
    return {term[1:] for term in terms.split(" ") if term[0] in COUNTED}


def as_counted(words: Collection[str], *, is_reference: bool) -> Collection[str]:
    """Return the words of a record as the vocabulary has them: those of reference data are counted apart."""
    return [REFERENCE_WORD + word for word in words] if is_reference else [ALL_RECORDS, *words]


def public_record(body: str | bytes | None) -> dict[str, Any] | None:
    """Return a representation as an object, or None if the record is a draft, merged or deleted (no body)."""
    record: Any = from_json(body) if body else {"state": "draft"}
    return None if record["state"] != "published" or record.get("merged_into") else record
