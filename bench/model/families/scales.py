"""Named scale families: one name for the models of a scaling study, in order of size. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError, unknown


@dataclass(frozen=True)
class Member:
    """A model of a scale family.

    `parameters` counts what the harness loads: with the language-model head, without a pooler, tied weights once; None
    where nothing is loaded. `remark` is the reason why the harness cannot load it, empty when it can.
    """

    short: str
    reference: str
    parameters: int | None
    remark: str = ""


_OWN_CODE = (
    "its checkpoint needs code of its own (trust_remote_code), which is not run; transformers' own GLM classes load "
    "later models only, like THUDM/glm-4-9b-hf"
)
SCALES: dict[str, tuple[Member, ...]] = {
    # Biderman et al. 2023, arXiv:2304.01373; the totals of their model cards
    "pythia": tuple(
        Member(short, f"EleutherAI/pythia-{short}", parameters)
        for short, parameters in (
            ("14m", 14_067_712), ("31m", 30_494_720), ("70m", 70_426_624), ("160m", 162_322_944),
            ("410m", 405_334_016), ("1b", 1_011_781_632), ("1.4b", 1_414_647_808), ("2.8b", 2_775_208_960),
            ("6.9b", 6_857_302_016), ("12b", 11_846_072_320),
        )
    ),
    # Turc et al. 2019, arXiv:1908.08962: layers/width, heads of 64
    "bert-miniatures": tuple(
        Member(f"{layers}/{width}", f"google/bert_uncased_L-{layers}_H-{width}_A-{width // 64}", parameters)
        for layers, width, parameters in (
            (2, 128, 4_416_698), (4, 128, 4_813_242), (6, 128, 5_209_786), (8, 128, 5_606_330), (10, 128, 6_002_874),
            (12, 128, 6_399_418), (2, 256, 9_622_074), (4, 256, 11_201_594), (6, 256, 12_781_114),
            (8, 256, 14_360_634), (10, 256, 15_940_154), (12, 256, 17_519_674), (2, 512, 22_490_426),
            (4, 512, 28_795_194), (6, 512, 35_099_962), (2, 768, 38_635_578), (8, 512, 41_404_730),
            (10, 512, 47_709_498), (4, 768, 52_811_322), (12, 512, 54_014_266), (6, 768, 66_987_066),
            (8, 768, 81_162_810), (10, 768, 95_338_554), (12, 768, 109_514_298),
        )
    ),
    # P-tuning v2 (Liu et al. 2022, arXiv:2110.07602), section 4.1
    "paper": (
        Member("bert-large", "bert-large-cased", 333_610_308),
        Member("roberta-large", "roberta-large", 355_412_057),
        Member("glm-2b", "THUDM/glm-2b", None, _OWN_CODE),
        Member("glm-10b", "THUDM/glm-10b", None, _OWN_CODE),
    ),
}  # fmt: skip
FAMILIES_HINT = f"Families of models: {', '.join(SCALES)}; one of them, or some: pythia:70m, pythia:70m..1b"


def expand(name: str) -> tuple[Member, ...] | None:
    """The models that `FAMILY`, `FAMILY:MODEL` or `FAMILY:SMALLEST..LARGEST` stands for, in order of size.

    None when the name is no family's (a folder goes before a family). UsageError for a model the family has not.
    """
    family, colon, part = name.partition(":")
    if family not in SCALES or Path(name).is_dir():
        return None
    members = SCALES[family]
    if not colon:
        return members
    shorts = [member.short for member in members]
    first, dots, last = part.partition("..")
    for short in (first, last) if dots else (first,):
        if (short and short not in shorts) or not part.strip("."):
            raise unknown(f"model of the family {family!r}", short, shorts)
    start = shorts.index(first) if first else 0
    end = (shorts.index(last) if last else len(shorts) - 1) if dots else start
    if start > end:
        raise UsageError(f"--models {name}: {first} is larger than {last}; give the smaller one first")
    return members[start : end + 1]


def listed_size(reference: str) -> int | None:
    """The parameters of a model that a family names; None for any other."""
    members = (member for family in SCALES.values() for member in family)
    return next((member.parameters for member in members if member.reference == reference), None)


def unloadable(reference: str) -> str:
    """Why a model that a family names cannot be loaded; empty when nothing is known against it."""
    members = (member for family in SCALES.values() for member in family)
    return next((member.remark for member in members if member.reference == reference), "")
