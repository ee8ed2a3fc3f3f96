"""Valid files of a user's own, small ones in every format, which targets damage."""

from __future__ import annotations

import json

SENTENCES = (
    "the parcel never came",
    "please send a bill, again",
    'she said "yes" twice',
    "où est la facture ?",
    "a b c",
)
TEAMS = ("sales", "support", "legal")
ROWS = [{"id": at, "text": f"{SENTENCES[at % 5]} {at}", "team": TEAMS[at % 3], "stars": 1 + at % 5} for at in range(24)]
TABLE = "\n".join(
    ["id,text,label", *(f'{row["id"]},"{row["text"].replace(chr(34), chr(34) * 2)}",{row["team"]}' for row in ROWS)]
).encode()
TABS = "\n".join(["text\tlabel", *(f"{row['text']}\t{row['team']}" for row in ROWS)]).encode()
NUMBERS = "\n".join(
    ["text;score", *(f"{row['text'].replace(chr(34), '')};{row['stars'] + row['id'] / 7:.3f}" for row in ROWS)]
).encode()
LINES = "\n".join(json.dumps({"text": row["text"], "label": row["team"]}) for row in ROWS).encode()
LISTED = json.dumps([{"text": row["text"], "label": row["team"]} for row in ROWS]).encode()
WRAPPED = json.dumps(
    {"version": 1, "data": [{"text": row["text"], "label": row["stars"] > 2} for row in ROWS]}
).encode()
BY_COLUMN = json.dumps({"text": [row["text"] for row in ROWS], "label": [row["team"] for row in ROWS]}).encode()
CHOICES = "\n".join(
    json.dumps({"question": row["text"], "choices": ["yes", "no", f"at {row['id']}"], "answer": row["id"] % 3})
    for row in ROWS
).encode()
ENTITIES = "\n\n".join(
    f"Anna NNP B-PER\nsaw VBD O\nRome NNP B-LOC\n{at} CD O\ntimes NNS O" for at in range(16)
).encode()
TAGGED = "\n".join(
    json.dumps({"tokens": ["Anna", "saw", "Rome", str(at)], "ner_tags": ["B-PER", "O", "B-LOC", "O"]})
    for at in range(16)
).encode()
CONLLU = "\n\n".join(
    f"# text = x {at}\n1\tAnna\tB-PER\n2-3\tdel\tO\n2\tsaw\tO\n3\tRome\tB-LOC" for at in range(16)
).encode()
ARTICLES = json.dumps({"version": "1.1", "data": [
    {"title": f"T{at}", "paragraphs": [{"context": f"Anna lives in Rome since {1900 + at}.", "qas": [
        {"id": f"q{at}", "question": "Where does Anna live?", "answers": [{"text": "Rome", "answer_start": 14}]},
        {"id": f"r{at}", "question": "Since when?", "answers": [{"text": str(1900 + at), "answer_start": 25}]},
    ]}]} for at in range(8)]}).encode()  # fmt: skip
