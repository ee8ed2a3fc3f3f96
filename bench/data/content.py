"""Examples that say the same: equal texts are one group, so that none is learned from and then asked again."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from bench.task import Example

EQUAL = "equal texts: "  # begins the name of a group that nothing but equal texts make


def content(example: Example) -> bytes | None:
    """A digest of all texts, candidates and words of an example, spaces and capitals aside; None when it has none."""
    fields = sorted([*example.texts.items(), *(field for choice in example.choices for field in choice.items())])
    plain = "\0".join([*(" ".join(text.split()) for _, text in fields), *example.words])
    if not plain.strip("\0 "):
        return None
    return hashlib.blake2b(plain.casefold().encode("utf-8", "surrogatepass"), digest_size=16).digest()


def with_equal_texts_grouped(examples: Sequence[Example]) -> list[Example]:
    """The examples; of those without a group, each that says the same as another has one with it.

    Groups that are declared stay as they are: short sentences that stand in many documents ("Thanks.") would make one
    group of most of them.
    """
    digests = [content(example) for example in examples]
    times = Counter(digests)
    groups: dict[bytes, str] = {}
    for digest, example in zip(digests, examples, strict=True):
        if digest is not None and times[digest] > 1 and (digest not in groups or groups[digest].startswith(EQUAL)):
            groups[digest] = example.group or groups.get(digest, f"{EQUAL}{example.id}")
    return [
        example.model_copy(update={"group": groups[digest]}) if example.group is None and digest in groups else example
        for digest, example in zip(digests, examples, strict=True)
    ]
