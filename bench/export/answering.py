"""The part of an exported folder's code that is its task's: how a row is laid out, and what its head says.

The functions here give code in Python, as text (bench.export.snippet).
"""

from __future__ import annotations

from textwrap import dedent

from bench.data.forms import FINAL_PUNCTUATION, Piece, parse
from bench.export.tuned import Tuned
from bench.model.heads import word_tokens
from bench.score.answers import LONGEST_ANSWER, N_BEST
from bench.task import CANDIDATE, MASK_MARK, SLOT_MARK


def lay(tuned: Tuned) -> str:
    """A row's texts as tokens and their types, by the task's form; with `mask` tokens at [MASK]."""
    form, known = tuned.form, tuned.around
    if known.causal and MASK_MARK in form:
        form = form[: form.index(MASK_MARK)]  # the next token is scored
    pieces = parse(form.replace(SLOT_MARK, ""), 0)
    cut = next((at for at, piece in enumerate(pieces) if piece.role == "sep"), None)
    first, second = (pieces, None) if cut is None else (pieces[:cut], pieces[cut + 1 :])
    before, *rest = known.pair if second is not None else known.single
    ends = [] if known.causal and tuned.with_words else rest[-1]
    one, two = known.types
    end_types = list(known.ends[second is not None]) if ends else []
    lines = ["def lay(row, mask=()):", f"    first = {_joined(first, tuned)}"]
    if second is None:
        lines += [
            f"    ids = {_sum([before, 'first', ends])}",
            f"    return ids, [{one}] * (len(first) + {len(before)}) + {end_types!r}" if end_types
            else f"    return ids, [{one}] * len(ids)",
        ]  # fmt: skip
    else:
        counted = len(before) + len(rest[0])
        lines += [
            f"    second = {_joined(second, tuned)}",
            f"    ids = {_sum([before, 'first', rest[0], 'second', ends])}",
            f"    return ids, [{one}] * (len(first) + {counted}) + [{two}] * len(second) + {end_types!r}",
        ]
    return "\n".join(lines)


def _sum(parts: list[list[int] | str]) -> str:
    return " + ".join(part if isinstance(part, str) else repr(part) for part in parts if part)


def _joined(pieces: list[Piece], tuned: Tuned) -> str:
    """The tokens of the pieces of a form, one after another."""
    terms = []
    for at, piece in enumerate(pieces):
        follower = pieces[at + 1].value if at + 1 < len(pieces) else ""
        if piece.role == "mask":
            terms.append("list(mask)")
        elif piece.role == "field":
            value = f"row[{piece.value!r}].strip()"
            if follower.startswith(FINAL_PUNCTUATION):
                value += f".rstrip({''.join((*FINAL_PUNCTUATION, ' '))!r})"
            terms.append(f"tokens({repr(' ') + ' + ' if piece.count else ''}{value})")
        else:
            terms.append(f"tokens({piece.value!r})")
    return " + ".join(terms) or "[]"


def _fed(tuned: Tuned) -> str:
    return f", fed={list(tuned.around.opening)!r}" if tuned.backbone.decoder is not None else ""


def of_text(tuned: Tuned) -> str:
    """A linear head on the state of the whole text, or of each candidate's."""
    known, task = tuned.around, tuned.resolved.task
    place = "-1" if known.pool < 0 or tuned.backbone.decoder is not None else str(known.pool)
    bias = "" if task.positions_compete else ' + head["linear.bias"]'
    score = f'head["linear.weight"] @ states(*lay(row){_fed(tuned)})[{place}]{bias}'
    if task.facts.scores_rows:
        return _code(f'''
            def answer(row, candidates):
                """The probability of each candidate."""
                rows = [{{**row, "{CANDIDATE}": candidate}} for candidate in candidates]
                scores = torch.cat([{score} for row in rows])
                return dict(zip(candidates, scores.softmax(0).tolist()))
        ''')
    if not task.classes:
        number = f" * {task.unit!r} + {task.origin!r}" if task.origin or task.unit != 1.0 else ""
        return _code(f'''
            def answer(row):
                """The number."""
                return ({score}).item(){number}
        ''')
    return _code(f'''
        def answer(row):
            """The probability of each class."""
            scores = {score}
            return dict(zip(classes, scores.softmax(0).tolist()))
    ''')


def of_words(tuned: Tuned) -> str:
    """The scores of label words at [MASK], or those of a candidate's own tokens."""
    known, task = tuned.around, tuned.resolved.task
    fed = _fed(tuned)
    next_token = known.causal or tuned.backbone.decoder is not None
    if task.facts.cloze == "candidates":
        return _of_candidates(tuned)
    words = {name: word_tokens(tuned.backbone.tokenizer, task.words[name]) for name in task.classes}
    mask = "" if known.causal else f", mask=[{known.mask}]"
    place = "-1" if next_token else f"ids.index({known.mask})"
    return _code(f'''
        words = {words!r}


        def answer(row):
            """The probability of each class, by its word."""
            ids, types = lay(row{mask})
            scores = states(ids, types{fed})[{place}]
            return dict(zip(words, torch.stack([scores[word].mean() for word in words.values()]).softmax(0).tolist()))
    ''')


def _of_candidates(tuned: Tuned) -> str:
    known = tuned.around
    if known.causal:
        laid = [
            "ids, types = lay(row)",
            "said = states(ids + wanted[:-1], types + types[:1] * (len(wanted) - 1))",
            "first = len(ids) - 1",
        ]
    elif tuned.backbone.decoder is not None:
        opening = list(known.opening)
        laid = [
            f"said = states(*lay(row, mask=[{known.mask}]), fed={opening!r} + wanted[:-1])",
            f"first = {len(opening) - 1}",
        ]
    else:
        laid = [
            f"ids, types = lay(row, mask=[{known.mask}] * len(wanted))",
            "said = states(ids, types)",
            f"first = ids.index({known.mask})",
        ]
    return _code(
        """
        def score(row, candidate):
            \"""The mean log-probability of a candidate's tokens.\"""
            wanted = tokens(" " + (candidate.strip().rstrip(" .") or candidate.strip()))
            #: laid
            return sum(said[first + at].log_softmax(0)[token] for at, token in enumerate(wanted)) / len(wanted)


        def answer(row, candidates):
            \"""The probability of each candidate.\"""
            scores = torch.stack([score(row, candidate) for candidate in candidates])
            return dict(zip(candidates, scores.softmax(0).tolist()))
        """,
        laid=laid,
    )


def of_tags(tuned: Tuned) -> str:
    """A linear head on a token of each word: its first, or its last where a token sees only those before."""
    known = tuned.around
    before, after = known.single
    which = "max" if known.causal else "min"
    types = f"[{known.types[0]}] * ({len(before)} + len(read)) + {list(known.ends[0])!r}"
    return _code(f'''
        def answer(words):
            """A tag for each word, and its probability."""
            inputs = tokenizer(words, is_split_into_words=True, add_special_tokens=False)
            read, word_ids = inputs["input_ids"], inputs.word_ids()
            of_tokens = states({_sum([before, "read", after])}, {types}{_fed(tuned)})
            tags = []
            for word in range(len(words)):
                place = {len(before)} + {which}(at for at, number in enumerate(word_ids) if number == word)
                shares = (head["linear.weight"] @ of_tokens[place] + head["linear.bias"]).softmax(0)
                tags.append((classes[int(shares.argmax())], shares.max().item()))
            return tags
    ''')


def of_span(tuned: Tuned) -> str:
    """The best pair of a start and an end; of a question that may have no answer, against the first token's scores."""
    known, task, length = tuned.around, tuned.resolved.task, tuned.resolved.cell.budget.max_length
    before, between, after = known.pair
    none = []
    if task.answerless:
        null, threshold = (
            f"scores[:, {'-1' if known.pool < 0 else known.pool}].sum().item()",
            tuned.record.null_threshold,
        )
        none = [f"if {null} - best > {threshold or 0.0!r}:", '    return "", None, None']
    types = f"[{known.types[0]}] * start + [{known.types[1]}] * len(read) + {list(known.ends[1])!r}"
    return _code(
        f'''
        def answer(question, context):
            """The text that answers, and its characters from and to; of a long context its first tokens are read."""
            asked, found = tokens(question.strip()), tokenizer(context, add_special_tokens=False)
            start = len(asked) + {len(before) + len(between)}
            read = found["input_ids"][: {length - len(after)} - start]
            of_tokens = states({_sum([before, "asked", between, "read", after])}, {types}{_fed(tuned)})
            scores = head["linear.weight"] @ of_tokens.T
            starts, ends = scores[:, start : start + len(read)]
            best, first, last = max(
                (starts[i].item() + ends[j].item(), i, j)
                for i in starts.topk(min({N_BEST}, len(read))).indices.tolist()
                for j in ends.topk(min({N_BEST}, len(read))).indices.tolist()
                if i <= j < i + {LONGEST_ANSWER}
            )
            #: none
            spans = found.encodings[0].offsets
            return context[spans[first][0] : spans[last][1]], spans[first][0], spans[last][1]
        ''',
        none=none,
    )


def _code(text: str, **blocks: list[str]) -> str:
    """Code without the indentation that it has here; in the place of a line `#: name` stand the lines of that block."""
    lines = []
    for line in dedent(text).strip("\n").splitlines():
        margin = line[: len(line) - len(line.lstrip())]
        name = line.strip().removeprefix("#: ")
        lines += [margin + each for each in blocks[name]] if name in blocks else [line]
    return "\n".join(lines)
